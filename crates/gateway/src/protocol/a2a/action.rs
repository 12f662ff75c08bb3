//! What can be asked of another agent, in one spelling for both versions and both bindings.

use super::Version;

/// An action. Policies name it as 1.0 names its method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    SendMessage,
    SendStreamingMessage,
    GetTask,
    ListTasks,
    CancelTask,
    SubscribeToTask,
    CreatePushConfig,
    GetPushConfig,
    ListPushConfigs,
    DeletePushConfig,
    GetExtendedCard,
}

impl Action {
    /// All of them.
    pub(crate) const ALL: [Self; 11] = [
        Self::SendMessage,
        Self::SendStreamingMessage,
        Self::GetTask,
        Self::ListTasks,
        Self::CancelTask,
        Self::SubscribeToTask,
        Self::CreatePushConfig,
        Self::GetPushConfig,
        Self::ListPushConfigs,
        Self::DeletePushConfig,
        Self::GetExtendedCard,
    ];

    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::SendMessage => "SendMessage",
            Self::SendStreamingMessage => "SendStreamingMessage",
            Self::GetTask => "GetTask",
            Self::ListTasks => "ListTasks",
            Self::CancelTask => "CancelTask",
            Self::SubscribeToTask => "SubscribeToTask",
            Self::CreatePushConfig => "CreateTaskPushNotificationConfig",
            Self::GetPushConfig => "GetTaskPushNotificationConfig",
            Self::ListPushConfigs => "ListTaskPushNotificationConfigs",
            Self::DeletePushConfig => "DeleteTaskPushNotificationConfig",
            Self::GetExtendedCard => "GetExtendedAgentCard",
        }
    }

    /// What 0.3 calls it; it cannot list tasks.
    fn of_before(self) -> Option<&'static str> {
        Some(match self {
            Self::SendMessage => "message/send",
            Self::SendStreamingMessage => "message/stream",
            Self::GetTask => "tasks/get",
            Self::ListTasks => return None,
            Self::CancelTask => "tasks/cancel",
            Self::SubscribeToTask => "tasks/resubscribe",
            Self::CreatePushConfig => "tasks/pushNotificationConfig/set",
            Self::GetPushConfig => "tasks/pushNotificationConfig/get",
            Self::ListPushConfigs => "tasks/pushNotificationConfig/list",
            Self::DeletePushConfig => "tasks/pushNotificationConfig/delete",
            Self::GetExtendedCard => "agent/getAuthenticatedExtendedCard",
        })
    }

    /// By a method's name, and the version that has it.
    pub(crate) fn of_method(method: &str) -> Option<(Self, Version)> {
        Self::ALL.into_iter().find_map(|action| {
            if action.as_str() == method {
                Some((action, Version::V1_0))
            } else {
                (action.of_before()? == method).then_some((action, Version::V0_3))
            }
        })
    }

    /// Whether its answer is a stream of events.
    pub(crate) fn streams(self) -> bool {
        matches!(self, Self::SendStreamingMessage | Self::SubscribeToTask)
    }

    /// Whether it gives the agent something to do.
    pub(crate) fn sends(self) -> bool {
        matches!(self, Self::SendMessage | Self::SendStreamingMessage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_versions_mean_the_same() {
        for action in Action::ALL {
            assert_eq!(Action::of_method(action.as_str()), Some((action, Version::V1_0)));
            if let Some(before) = action.of_before() {
                assert_eq!(Action::of_method(before), Some((action, Version::V0_3)));
            }
        }
        for unknown in ["", "sendMessage", "message/Send", "tasks/list", "tools/call"] {
            assert_eq!(Action::of_method(unknown), None, "{unknown}");
        }
    }
}
