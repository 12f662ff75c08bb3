//! Answers in the shape of real ones.

pub(super) const CHAT_JSON: &str = r#"{
  "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
  "object": "chat.completion",
  "created": 1741570283,
  "model": "gpt-4o-2024-08-06",
  "choices": [{
    "index": 0,
    "message": {"role": "assistant", "content": "Say \"usage\": {\"prompt_tokens\": 1} \\ 文", "refusal": null,
      "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"usage\":{\"completion_tokens\":7}}"}}]},
    "logprobs": null,
    "finish_reason": "stop"
  }],
  "usage": {
    "prompt_tokens": 1117,
    "completion_tokens": 46,
    "total_tokens": 1163,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 0}
  },
  "service_tier": "default",
  "system_fingerprint": "fp_fc9f1d7035"
}
"#;

pub(super) const CHAT_SSE: &str = concat!(
    r#"data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{"content":"Say \"error\": \"usage\""},"logprobs":null,"finish_reason":null}],"usage":null}"#,
    "\n\n",
    ": keep-alive\n\n",
    r#"data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","system_fingerprint":"fp_44709d6fcb","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#,
    "\n\n",
    "data: [DONE]\n\n",
);

pub(super) const RESPONSE_JSON: &str = r#"{
  "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
  "object": "response",
  "created_at": 1741476542,
  "status": "completed",
  "error": null,
  "incomplete_details": null,
  "instructions": null,
  "max_output_tokens": null,
  "model": "gpt-4.1-2025-04-14",
  "output": [{"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
    "content": [{"type": "output_text", "text": "In a peaceful grove", "annotations": []}]}],
  "parallel_tool_calls": true,
  "previous_response_id": null,
  "conversation": {"id": "conv_689667905b048191b4740501625afd940c7533ace33a2dab"},
  "tools": [{"type": "function", "name": "usage", "parameters": {"type": "object", "properties": {"usage": {"input_tokens": 9}}}}],
  "usage": {
    "input_tokens": 36,
    "input_tokens_details": {"cached_tokens": 12, "cache_write_tokens": 20},
    "output_tokens": 87,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 123
  },
  "user": null,
  "metadata": {"usage": "7"}
}"#;

pub(super) const RESPONSE_SSE: &str = concat!(
    "event: response.created\n",
    r#"data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","error":null,"model":"gpt-4.1","output":[],"usage":null}}"#,
    "\n\n",
    "event: response.output_text.delta\n",
    r#"data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hi"}"#,
    "\n\n",
    "event: response.completed\n",
    r#"data: {"type":"response.completed","sequence_number":9,"response":{"id":"resp_1","object":"response","status":"completed","error":null,"model":"gpt-4.1","conversation":{"id":"conv_1"},"output":[{"type":"message","id":"msg_1","content":[{"type":"output_text","text":"Hi"}]}],"usage":{"input_tokens":37,"input_tokens_details":{"cached_tokens":0},"output_tokens":11,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":48}}}"#,
    "\n\n",
);

pub(super) const MESSAGE_JSON: &str = r#"{"id":"msg_013Zva2CMHLNnXjNJJKqJ2EF","type":"message","role":"assistant","model":"claude-opus-4-5-20251101","content":[{"type":"text","text":"Hi!"},{"type":"tool_use","id":"toolu_1","name":"t","input":{"usage":{"input_tokens":5}}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":2095,"cache_creation_input_tokens":300,"cache_read_input_tokens":7000,"cache_creation":{"ephemeral_5m_input_tokens":300,"ephemeral_1h_input_tokens":0},"output_tokens":503,"service_tier":"standard"}}"#;

pub(super) const MESSAGE_SSE: &str = concat!(
    "event: message_start\r\n",
    r#"data: {"type": "message_start", "message": {"id": "msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY", "type": "message", "role": "assistant", "content": [], "model": "claude-opus-4-5-20251101", "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 25, "cache_read_input_tokens": 100, "output_tokens": 1}}}"#,
    "\r\n\r\n",
    "event: content_block_start\r\ndata: {\"type\": \"content_block_start\", \"index\": 0, \"content_block\": {\"type\": \"text\", \"text\": \"\"}}\r\n\r\n",
    "event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n",
    "event: content_block_delta\r\ndata: {\"type\": \"content_block_delta\", \"index\": 0, \"delta\": {\"type\": \"text_delta\", \"text\": \"Hello\"}}\r\n\r\n",
    "event: content_block_stop\r\ndata: {\"type\": \"content_block_stop\", \"index\": 0}\r\n\r\n",
    "event: message_delta\r\ndata: {\"type\": \"message_delta\", \"delta\": {\"stop_reason\": \"end_turn\", \"stop_sequence\":null}, \"usage\": {\"output_tokens\": 15}}\r\n\r\n",
    "event: message_stop\r\ndata: {\"type\": \"message_stop\"}\r\n\r\n",
);

/// A2A 1.0 over JSON-RPC.
pub(super) const A2A_JSON: &str = r#"{"jsonrpc":"2.0","id":"1","result":{"task":{"id":"363422be-b0f9-4692-a24d-278670e7c7f1","contextId":"c295ea44-7543-4f78-b524-7a38915ad6e4","status":{"state":"TASK_STATE_COMPLETED"},"artifacts":[{"artifactId":"9b6934dd","name":"joke","parts":[{"text":"{\"contextId\":\"no\"}"}]}],"history":[{"messageId":"9229e770","contextId":"in-history","role":"ROLE_USER","parts":[{"text":"tell me a joke"}]}]}}}"#;

pub(super) const A2A_SSE: &str = concat!(
    r#"data: {"jsonrpc":"2.0","id":"1","result":{"task":{"id":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_SUBMITTED"}}}}"#,
    "\n\n",
    r#"data: {"jsonrpc":"2.0","id":"1","result":{"artifactUpdate":{"taskId":"t-1","contextId":"c-1","artifact":{"artifactId":"a","parts":[{"text":"<h1>"}]},"append":false}}}"#,
    "\n\n",
    r#"data: {"jsonrpc":"2.0","id":"1","result":{"statusUpdate":{"taskId":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_COMPLETED"}}}}"#,
    "\n\n",
);

/// A2A 0.3.
pub(super) const A2A_OLD_SSE: &str = concat!(
    r#"data: {"jsonrpc":"2.0","id":1,"result":{"kind":"task","id":"t-2","contextId":"c-2","status":{"state":"submitted"}}}"#,
    "\n\n",
    r#"data: {"jsonrpc":"2.0","id":1,"result":{"kind":"status-update","taskId":"t-2","contextId":"c-2","status":{"state":"input-required"},"final":true}}"#,
    "\n\n",
);

/// A2A 1.0 over REST: no envelope, so `id` is the task's.
pub(super) const A2A_REST_TASK: &str =
    r#"{"id":"t-3","contextId":"c-3","status":{"state":"TASK_STATE_WORKING"}}"#;

pub(super) const MCP_SSE: &str = concat!(
    "event: message\nid: 1\n",
    r#"data: {"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"42"}],"isError":false}}"#,
    "\n\n",
);
