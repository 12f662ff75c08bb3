//! Where the known protocols keep what is read here.
//!
//! OpenAI API reference (chat completions, responses and their streaming events), Anthropic API reference
//! (messages, streaming), A2A 1.0 `a2a.proto` with its JSON-RPC and REST bindings, A2A 0.3 (objects told
//! apart by `kind`), MCP (JSON-RPC).

use super::pick::{Field, Node};

type Keys = &'static [(&'static str, Node)];

const fn leaf(field: Field) -> Node {
    Node { field: Some(field), keys: &[] }
}

const fn below(keys: Keys) -> Node {
    Node { field: None, keys }
}

const fn both(field: Field, keys: Keys) -> Node {
    Node { field: Some(field), keys }
}

const OPENAI_INPUT_DETAILS: Keys = &[
    ("cached_tokens", leaf(Field::CacheReadTokens)),
    ("cache_write_tokens", leaf(Field::CacheWriteTokens)),
];

const OPENAI_OUTPUT_DETAILS: Keys = &[("reasoning_tokens", leaf(Field::ReasoningTokens))];

const OPENAI_USAGE: Keys = &[
    ("prompt_tokens", leaf(Field::InputTokens)),
    ("completion_tokens", leaf(Field::OutputTokens)),
    ("prompt_tokens_details", below(OPENAI_INPUT_DETAILS)),
    ("input_tokens", leaf(Field::InputTokens)),
    ("output_tokens", leaf(Field::OutputTokens)),
    ("input_tokens_details", below(OPENAI_INPUT_DETAILS)),
    ("completion_tokens_details", below(OPENAI_OUTPUT_DETAILS)),
    ("output_tokens_details", below(OPENAI_OUTPUT_DETAILS)),
];

const OPENAI_CONVERSATION: Node =
    both(Field::ConversationId, &[("id", leaf(Field::ConversationId))]);

/// A call of a function that a chat's answer asks for; in a stream, a part of one.
const OPENAI_TOOL_CALL: Node = both(
    Field::ToolCall,
    &[
        ("index", leaf(Field::ToolCallIndex)),
        (
            "function",
            below(&[("name", leaf(Field::FunctionName)), ("arguments", leaf(Field::Arguments))]),
        ),
    ],
);

const OPENAI_MESSAGE: Node = below(&[("tool_calls", OPENAI_TOOL_CALL)]);

const OPENAI_CHOICE: Keys = &[
    ("index", leaf(Field::ChoiceIndex)),
    ("delta", OPENAI_MESSAGE),
    ("message", OPENAI_MESSAGE),
    ("finish_reason", leaf(Field::Finish)),
];

/// Something that a response consists of: a text, a call of a function, a call that the provider makes itself.
const OPENAI_ITEM: Node = both(
    Field::Item,
    &[
        ("type", leaf(Field::FunctionType)),
        ("name", leaf(Field::FunctionName)),
        ("arguments", leaf(Field::Arguments)),
    ],
);

const OPENAI_RESPONSE: Keys = &[
    ("id", leaf(Field::Id)),
    ("model", leaf(Field::Model)),
    ("status", leaf(Field::State)),
    ("conversation", OPENAI_CONVERSATION),
    ("output", OPENAI_ITEM),
    ("service_tier", leaf(Field::ServiceTier)),
    ("usage", below(OPENAI_USAGE)),
];

/// Answers of chat completions and of responses, as JSON and as events.
pub(super) static OPENAI: Node = below(&[
    ("object", leaf(Field::Object)),
    ("type", leaf(Field::Type)),
    ("id", leaf(Field::Id)),
    ("model", leaf(Field::Model)),
    ("status", leaf(Field::State)),
    ("choices", both(Field::Choices, OPENAI_CHOICE)),
    ("conversation", OPENAI_CONVERSATION),
    ("service_tier", leaf(Field::ServiceTier)),
    ("usage", below(OPENAI_USAGE)),
    ("error", leaf(Field::Error)),
    ("output", OPENAI_ITEM),
    ("item", OPENAI_ITEM),
    ("response", below(OPENAI_RESPONSE)),
]);

/// Requests to responses.
pub(super) static OPENAI_REQUEST: Node = below(&[
    ("conversation", OPENAI_CONVERSATION),
    ("previous_response_id", leaf(Field::PreviousId)),
]);

const ANTHROPIC_CACHE_CREATION: Node =
    below(&[("ephemeral_1h_input_tokens", leaf(Field::CacheWrite1hTokens))]);

const ANTHROPIC_INPUT: Keys = &[
    ("input_tokens", leaf(Field::InputTokens)),
    ("cache_read_input_tokens", leaf(Field::CacheReadTokens)),
    ("cache_creation_input_tokens", leaf(Field::CacheWriteTokens)),
    ("cache_creation", ANTHROPIC_CACHE_CREATION),
    ("service_tier", leaf(Field::ServiceTier)),
    ("speed", leaf(Field::Speed)),
    ("inference_geo", leaf(Field::Place)),
];

const ANTHROPIC_USAGE: Keys = &[
    ("input_tokens", leaf(Field::InputTokens)),
    ("cache_read_input_tokens", leaf(Field::CacheReadTokens)),
    ("cache_creation_input_tokens", leaf(Field::CacheWriteTokens)),
    ("cache_creation", ANTHROPIC_CACHE_CREATION),
    ("output_tokens", leaf(Field::OutputTokens)),
    ("service_tier", leaf(Field::ServiceTier)),
    ("speed", leaf(Field::Speed)),
    ("inference_geo", leaf(Field::Place)),
];

const ANTHROPIC_BLOCK: Keys = &[
    ("type", leaf(Field::FunctionType)),
    ("name", leaf(Field::FunctionName)),
    ("input", leaf(Field::Arguments)),
];

/// Answers of messages. The output count inside `message_start` is only a beginning and is left out.
pub(super) static ANTHROPIC: Node = below(&[
    ("type", leaf(Field::Type)),
    ("model", leaf(Field::Model)),
    ("usage", below(ANTHROPIC_USAGE)),
    ("error", leaf(Field::Error)),
    ("message", below(&[("model", leaf(Field::Model)), ("usage", below(ANTHROPIC_INPUT))])),
    ("content", both(Field::Item, ANTHROPIC_BLOCK)),
    ("index", leaf(Field::BlockIndex)),
    ("content_block", both(Field::Block, ANTHROPIC_BLOCK)),
    ("delta", both(Field::BlockDelta, &[("partial_json", leaf(Field::Arguments))])),
]);

const A2A_STATUS: Node = below(&[("state", leaf(Field::State))]);

const A2A_TASK: Keys =
    &[("id", leaf(Field::TaskId)), ("contextId", leaf(Field::ContextId)), ("status", A2A_STATUS)];

const A2A_UPDATE: Keys = &[
    ("taskId", leaf(Field::TaskId)),
    ("contextId", leaf(Field::ContextId)),
    ("status", A2A_STATUS),
    ("final", leaf(Field::Final)),
];

const A2A_MESSAGE: Keys = &[("taskId", leaf(Field::TaskId)), ("contextId", leaf(Field::ContextId))];

/// A result of 1.0 (one of `task`, `message`, `statusUpdate`, `artifactUpdate`) or of 0.3 (the object itself).
const A2A_RESULT: Keys = &[
    ("task", below(A2A_TASK)),
    ("message", both(Field::Message, A2A_MESSAGE)),
    ("statusUpdate", below(A2A_UPDATE)),
    ("artifactUpdate", below(A2A_UPDATE)),
    ("kind", leaf(Field::Type)),
    ("id", leaf(Field::TaskId)),
    ("taskId", leaf(Field::TaskId)),
    ("contextId", leaf(Field::ContextId)),
    ("status", A2A_STATUS),
    ("final", leaf(Field::Final)),
];

const RPC_ERROR: Node = both(Field::Error, &[("code", leaf(Field::ErrorCode))]);

/// Answers of A2A: JSON-RPC has the result under `result`, REST at the root, where `id` is then the
/// task's.
pub(super) static A2A: Node = below(&[
    ("jsonrpc", leaf(Field::JsonRpc)),
    ("result", below(A2A_RESULT)),
    ("error", RPC_ERROR),
    ("task", below(A2A_TASK)),
    ("message", both(Field::Message, A2A_MESSAGE)),
    ("statusUpdate", below(A2A_UPDATE)),
    ("artifactUpdate", below(A2A_UPDATE)),
    ("kind", leaf(Field::Type)),
    ("id", leaf(Field::Id)),
    ("taskId", leaf(Field::TaskId)),
    ("contextId", leaf(Field::ContextId)),
    ("status", A2A_STATUS),
    ("final", leaf(Field::Final)),
]);

/// Requests of A2A: the message's ids, or for `GetTask` and its like the task's.
pub(super) static A2A_REQUEST: Node = below(&[
    (
        "params",
        below(&[
            ("message", below(A2A_MESSAGE)),
            ("contextId", leaf(Field::ContextId)),
            ("taskId", leaf(Field::TaskId)),
            ("id", leaf(Field::Id)),
        ]),
    ),
    ("message", below(A2A_MESSAGE)),
]);

/// Answers of MCP.
pub(super) static MCP: Node = below(&[("jsonrpc", leaf(Field::JsonRpc)), ("error", RPC_ERROR)]);
