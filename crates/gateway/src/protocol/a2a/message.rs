//! A message to another agent: what a policy can be about, and no word of it anywhere else.

use std::collections::BTreeSet;

use lockgate_model::ids::InteractionId;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::{Unclear, Version};
use crate::ingress::headers::{INTERACTION, TRACEPARENT, trace_of};

const MESSAGE: [&str; 8] = [
    "messageId",
    "contextId",
    "taskId",
    "role",
    "parts",
    "metadata",
    "extensions",
    "referenceTaskIds",
];
const PART: [&str; 7] = ["text", "raw", "url", "data", "metadata", "filename", "mediaType"];
const PART_BEFORE: [&str; 5] = ["kind", "text", "file", "data", "metadata"];
const FILE_BEFORE: [&str; 4] = ["name", "mimeType", "bytes", "uri"];
/// The longest id of a message.
const ID_BYTES_MAX: usize = 128;
/// The longest trace context.
const TRACE_BYTES_MAX: usize = 64;
/// What a part is; the words of 1.0.
const KINDS: [&str; 4] = ["text", "raw", "url", "data"];

/// What was found in a message.
#[derive(Debug, Default)]
pub(super) struct Told<'a> {
    texts: Vec<&'a str>,
    kinds: BTreeSet<&'static str>,
    media_types: BTreeSet<&'a str>,
    files: BTreeSet<&'a str>,
    links: Vec<&'a str>,
    data: Vec<&'a Value>,
    parts: usize,
    about_parts: Vec<&'a Map<String, Value>>,
    pub(super) metadata: Option<&'a Map<String, Value>>,
}

impl<'a> Told<'a> {
    /// Reads a message, and adds what policies are asked about.
    pub(super) fn read(
        version: Version,
        message: &'a Value,
        arguments: &mut Map<String, Value>,
    ) -> Result<Self, Unclear> {
        let mut known = MESSAGE.to_vec();
        if version == Version::V0_3 {
            known.push("kind");
        }
        let fields = Fields::read("message", message, &known)?;
        if version == Version::V0_3 {
            fields.is_kind("message")?;
        }
        fields.text("messageId")?.map_or(Ok(()), is_id)?;
        let role = match fields.some_text("role")? {
            "ROLE_USER" | "user" => "user",
            "ROLE_AGENT" | "agent" => "agent",
            _ => return Err(Unclear::Field("role", "is neither user nor agent")),
        };
        let mut told = Self { metadata: fields.open("metadata")?, ..Self::default() };
        for part in fields.list("parts")? {
            match version {
                Version::V1_0 => told.part(part)?,
                Version::V0_3 => told.part_before(part)?,
            }
        }
        arguments.insert("role".into(), role.into());
        for (name, argument) in [("contextId", "context"), ("taskId", "task")] {
            if let Some(id) = fields.text(name)? {
                arguments.insert(argument.into(), id.into());
            }
        }
        arguments.insert("references".into(), fields.texts("referenceTaskIds")?.into());
        arguments.insert("extensions".into(), fields.texts("extensions")?.into());
        told.tell(arguments);
        Ok(told)
    }

    fn part(&mut self, part: &'a Value) -> Result<(), Unclear> {
        let fields = Fields::read("parts", part, &PART)?;
        let mut kinds = KINDS.into_iter().filter(|kind| fields.get(kind).is_some());
        // Data may be null, and is there all the same.
        let data = part.get("data");
        let kind = match (kinds.next(), kinds.next()) {
            (Some(kind), None) => kind,
            (None, _) if data.is_some() => "data",
            _ => return Err(Unclear::Field("parts", "has a part that is not one thing")),
        };
        if kind != "data" && data.is_some() {
            return Err(Unclear::Field("parts", "has a part that is not one thing"));
        }
        self.begin(kind, &fields)?;
        self.file(fields.text("filename")?, fields.text("mediaType")?);
        match kind {
            "text" => self.texts.push(text_of(&fields, "text")?),
            "raw" => drop(text_of(&fields, "raw")?),
            "url" => self.links.push(text_of(&fields, "url")?),
            _ => self.data.extend(data),
        }
        Ok(())
    }

    fn part_before(&mut self, part: &'a Value) -> Result<(), Unclear> {
        let fields = Fields::read("parts", part, &PART_BEFORE)?;
        let kind = fields.some_text("kind")?;
        let others = ["text", "file", "data"].into_iter().filter(|name| *name != kind);
        if others.into_iter().any(|name| fields.get(name).is_some()) {
            return Err(Unclear::Field("parts", "has a part that is not one thing"));
        }
        match kind {
            "text" => {
                self.begin("text", &fields)?;
                self.texts.push(text_of(&fields, "text")?);
            }
            "data" => {
                self.begin("data", &fields)?;
                self.data.extend(fields.get("data"));
            }
            "file" => {
                let missing = Unclear::Field("file", "is missing");
                let file = fields.object("file", &FILE_BEFORE)?.ok_or(missing)?;
                self.file(file.text("name")?, file.text("mimeType")?);
                match (file.text("bytes")?, file.text("uri")?) {
                    (Some(_), None) => self.begin("raw", &fields)?,
                    (None, Some(uri)) => {
                        self.begin("url", &fields)?;
                        self.links.push(uri);
                    }
                    _ => return Err(Unclear::Field("file", "is not one thing")),
                }
            }
            _ => return Err(Unclear::Field("kind", "is another than belongs there")),
        }
        Ok(())
    }

    fn begin(&mut self, kind: &'static str, fields: &Fields<'a>) -> Result<(), Unclear> {
        self.parts += 1;
        self.kinds.insert(kind);
        self.about_parts.extend(fields.open("metadata")?);
        Ok(())
    }

    fn file(&mut self, name: Option<&'a str>, media_type: Option<&'a str>) {
        self.files.extend(name);
        self.media_types.extend(media_type);
    }

    fn tell(&self, arguments: &mut Map<String, Value>) {
        arguments.insert("text".into(), self.texts.join("\n").into());
        arguments.insert("parts".into(), self.parts.into());
        arguments.insert("kinds".into(), json!(self.kinds));
        arguments.insert("media_types".into(), json!(self.media_types));
        arguments.insert("files".into(), json!(self.files));
        match self.links[..] {
            [] => {}
            [link] => drop(arguments.insert("link".into(), link.into())),
            // Of a list nothing is known as of a URL: nothing is allowed because of it, and denials fire.
            _ => drop(arguments.insert("link".into(), json!(self.links))),
        }
        if !self.data.is_empty() {
            arguments.insert("data".into(), json!(self.data));
        }
    }

    /// What is said about the request, the message and its parts, but for what is ours.
    pub(super) fn tell_metadata(
        &self,
        of_request: Option<&Map<String, Value>>,
        arguments: &mut Map<String, Value>,
    ) -> Result<(), Unclear> {
        let mut metadata = Map::new();
        for (name, said) in [("request", of_request), ("message", self.metadata)] {
            if let Some(others) = said.map(others).transpose()?.flatten() {
                metadata.insert(name.into(), others);
            }
        }
        let parts: Vec<Value> = self
            .about_parts
            .iter()
            .map(|said| json!(said))
            .filter(|said| *said != json!({}))
            .collect();
        if !parts.is_empty() {
            metadata.insert("parts".into(), parts.into());
        }
        if !metadata.is_empty() {
            arguments.insert("metadata".into(), metadata.into());
        }
        Ok(())
    }
}

/// Without what says to whom a call belongs; `None` when nothing is left. Nobody looks at that any more, so it can be
/// nothing else.
pub(super) fn others(metadata: &Map<String, Value>) -> Result<Option<Value>, Unclear> {
    let mut others = Map::new();
    for (name, value) in metadata {
        let is_link = match name.as_str() {
            name if name == INTERACTION.as_str() => {
                value.as_str().is_some_and(|text| text.parse::<InteractionId>().is_ok())
            }
            name if name == TRACEPARENT.as_str() => value
                .as_str()
                .is_some_and(|text| text.len() <= TRACE_BYTES_MAX && trace_of(text).is_some()),
            _ => {
                others.insert(name.clone(), value.clone());
                continue;
            }
        };
        if !is_link {
            return Err(Unclear::Field("metadata", "says to whom it belongs, and names nobody"));
        }
    }
    Ok((!others.is_empty()).then(|| others.into()))
}

/// A message's id is left out of what people agree to, so it can be nothing else.
fn is_id(text: &str) -> Result<(), Unclear> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    if text.len() <= ID_BYTES_MAX && text.bytes().all(plain) {
        return Ok(());
    }
    Err(Unclear::Field(
        "messageId",
        "is longer than an id, or has more in it than letters and digits",
    ))
}

/// A text that may be empty.
fn text_of<'a>(fields: &Fields<'a>, name: &'static str) -> Result<&'a str, Unclear> {
    match fields.get(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Unclear::Field(fields.what(), "has a part that is no text where one belongs")),
    }
}
