//! What a policy is asked about: the parameters of an action, read and named in one way for both versions.

use serde_json::{Map, Value};

use super::action::Action;
use super::fields::Fields;
use super::message::{Told, others};
use super::{Asked, Unclear, Version};

const SEND: [&str; 4] = ["tenant", "message", "configuration", "metadata"];
const SEND_BEFORE: [&str; 3] = ["message", "configuration", "metadata"];
const CONFIGURATION: [&str; 4] =
    ["acceptedOutputModes", "taskPushNotificationConfig", "historyLength", "returnImmediately"];
const CONFIGURATION_BEFORE: [&str; 4] =
    ["acceptedOutputModes", "pushNotificationConfig", "historyLength", "blocking"];
const PUSH: [&str; 6] = ["tenant", "id", "taskId", "url", "token", "authentication"];
const PUSH_BEFORE: [&str; 4] = ["id", "url", "token", "authentication"];
const AUTHENTICATION: [&str; 2] = ["scheme", "credentials"];
const AUTHENTICATION_BEFORE: [&str; 2] = ["schemes", "credentials"];

/// Reads the parameters of a request of so many bytes. `extensions` are those that a header names.
pub(super) fn read(
    action: Action,
    version: Version,
    params: &Map<String, Value>,
    bytes: usize,
    extensions: &[String],
) -> Result<Asked, Unclear> {
    let mut reading = Reading { version, arguments: Map::new(), metadata: Vec::new() };
    if action.sends() {
        reading.send(params)?;
        reading.arguments.insert("bytes".into(), bytes.into());
        if let Some(Value::Array(named)) = reading.arguments.get_mut("extensions") {
            named.extend(extensions.iter().map(|name| name.as_str().into()));
        }
    } else {
        reading.about(action, params)?;
    }
    let Reading { arguments, metadata, .. } = reading;
    Ok(Asked { action, arguments: arguments.into(), metadata })
}

struct Reading {
    version: Version,
    arguments: Map<String, Value>,
    metadata: Vec<Map<String, Value>>,
}

impl Reading {
    fn is_before(&self) -> bool {
        self.version == Version::V0_3
    }

    fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.arguments.insert(name.to_owned(), value.into());
        }
    }

    fn send(&mut self, params: &Map<String, Value>) -> Result<(), Unclear> {
        let known = if self.is_before() { &SEND_BEFORE[..] } else { &SEND[..] };
        let fields = Fields::of("params", params, known)?;
        self.put("tenant", fields.text("tenant")?);
        let message = fields.get("message").ok_or(Unclear::Field("message", "is missing"))?;
        let of_request = fields.open("metadata")?;
        let told = Told::read(self.version, message, &mut self.arguments)?;
        told.tell_metadata(of_request, &mut self.arguments)?;
        self.metadata.extend([of_request, told.metadata].into_iter().flatten().cloned());
        let known = if self.is_before() { &CONFIGURATION_BEFORE } else { &CONFIGURATION };
        let Some(fields) = fields.object("configuration", known)? else {
            self.put("blocking", Some(true));
            self.put("output_modes", Some(Vec::<Value>::new()));
            return Ok(());
        };
        // Both versions wait when nothing is said.
        let blocking = if self.is_before() {
            fields.flag("blocking")?.unwrap_or(true)
        } else {
            !fields.flag("returnImmediately")?.unwrap_or(false)
        };
        self.put("blocking", Some(blocking));
        self.put("output_modes", Some(fields.texts("acceptedOutputModes")?));
        self.put("history", fields.number("historyLength")?);
        let (name, known) = if self.is_before() {
            ("pushNotificationConfig", &PUSH_BEFORE[..])
        } else {
            ("taskPushNotificationConfig", &PUSH[..])
        };
        if let Some(push) = fields.object(name, known)? {
            self.same("task", push.text("taskId")?, "taskId")?;
            self.same("tenant", push.text("tenant")?, "tenant")?;
            self.push(&push)?;
        }
        Ok(())
    }

    /// Where somebody is to be told: the other agent will connect there.
    fn push(&mut self, push: &Fields<'_>) -> Result<(), Unclear> {
        push.text("id")?;
        push.text("token")?;
        let known = if self.is_before() { &AUTHENTICATION_BEFORE } else { &AUTHENTICATION };
        push.object("authentication", known)?;
        let url = push.some_text("url")?;
        self.put("push_url", Some(url));
        Ok(())
    }

    /// What is said once more may say nothing else.
    fn same(&mut self, name: &str, said: Option<&str>, field: &'static str) -> Result<(), Unclear> {
        let Some(said) = said else { return Ok(()) };
        match self.arguments.get(name) {
            Some(Value::String(before)) if before != said => {
                Err(Unclear::Field(field, "is there twice, and not the same"))
            }
            _ => {
                self.put(name, Some(said));
                Ok(())
            }
        }
    }

    /// Whatever is not sending a message.
    fn about(&mut self, action: Action, params: &Map<String, Value>) -> Result<(), Unclear> {
        let fields = Fields::of("params", params, self.known(action))?;
        self.put("tenant", fields.text("tenant")?);
        if let Some(metadata) = fields.open("metadata")? {
            self.put("metadata", others(metadata)?);
            self.metadata.push(metadata.clone());
        }
        match action {
            Action::GetTask => {
                self.put("task", Some(fields.some_text("id")?));
                self.put("history", fields.number("historyLength")?);
            }
            Action::CancelTask | Action::SubscribeToTask => {
                self.put("task", Some(fields.some_text("id")?));
            }
            Action::ListTasks => {
                self.put("context", fields.text("contextId")?);
                self.put("status", fields.text("status")?);
                self.put("history", fields.number("historyLength")?);
                self.put("artifacts", Some(fields.flag("includeArtifacts")?.unwrap_or(false)));
                Self::page(&fields)?;
                fields.text("statusTimestampAfter")?;
            }
            Action::CreatePushConfig => self.create(&fields)?,
            Action::GetPushConfig | Action::DeletePushConfig if self.is_before() => {
                self.put("task", Some(fields.some_text("id")?));
                self.put("config", fields.text("pushNotificationConfigId")?);
            }
            Action::GetPushConfig | Action::DeletePushConfig => {
                self.put("task", Some(fields.some_text("taskId")?));
                self.put("config", Some(fields.some_text("id")?));
            }
            Action::ListPushConfigs => {
                let name = if self.is_before() { "id" } else { "taskId" };
                self.put("task", Some(fields.some_text(name)?));
                Self::page(&fields)?;
            }
            Action::GetExtendedCard | Action::SendMessage | Action::SendStreamingMessage => {}
        }
        Ok(())
    }

    /// Pages of a list are all alike.
    fn page(fields: &Fields<'_>) -> Result<(), Unclear> {
        fields.number("pageSize")?;
        fields.text("pageToken")?;
        Ok(())
    }

    fn create(&mut self, fields: &Fields<'_>) -> Result<(), Unclear> {
        self.put("task", Some(fields.some_text("taskId")?));
        if self.is_before() {
            let missing = Unclear::Field("pushNotificationConfig", "is missing");
            let push = fields.object("pushNotificationConfig", &PUSH_BEFORE)?.ok_or(missing)?;
            self.put("config", push.text("id")?);
            return self.push(&push);
        }
        self.put("config", fields.text("id")?);
        self.push(fields)
    }

    fn known(&self, action: Action) -> &'static [&'static str] {
        match (action, self.version) {
            (Action::GetTask, Version::V1_0) => &["tenant", "id", "historyLength"],
            (Action::GetTask, Version::V0_3) => &["id", "historyLength", "metadata"],
            (Action::CancelTask, Version::V1_0) => &["tenant", "id", "metadata"],
            (Action::SubscribeToTask, Version::V1_0) => &["tenant", "id"],
            (
                Action::CancelTask | Action::SubscribeToTask | Action::ListPushConfigs,
                Version::V0_3,
            ) => &["id", "metadata"],
            (Action::ListTasks, _) => &[
                "tenant",
                "contextId",
                "status",
                "pageSize",
                "pageToken",
                "historyLength",
                "statusTimestampAfter",
                "includeArtifacts",
            ],
            (Action::CreatePushConfig, Version::V1_0) => &PUSH,
            (Action::CreatePushConfig, Version::V0_3) => &["taskId", "pushNotificationConfig"],
            (Action::GetPushConfig | Action::DeletePushConfig, Version::V1_0) => {
                &["tenant", "taskId", "id"]
            }
            (Action::GetPushConfig | Action::DeletePushConfig, Version::V0_3) => {
                &["id", "pushNotificationConfigId", "metadata"]
            }
            (Action::ListPushConfigs, Version::V1_0) => {
                &["tenant", "taskId", "pageSize", "pageToken"]
            }
            (Action::GetExtendedCard, Version::V1_0) => &["tenant"],
            (Action::GetExtendedCard, Version::V0_3)
            | (Action::SendMessage | Action::SendStreamingMessage, _) => &[],
        }
    }
}
