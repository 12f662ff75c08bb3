//! Why whoever calls is nobody, in words that say nothing of what is in a token.

/// Why a token is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none.
    #[error("there is no bearer token")]
    Missing,
    /// It is no token of ours, whatever it is.
    #[error("the token cannot be read")]
    Malformed,
    /// Another algorithm, or none.
    #[error("the token is not signed with Ed25519")]
    Algorithm,
    /// Another key, or one that was retired.
    #[error("the token's key is not known, or was retired")]
    UnknownKey,
    /// The signature is another text's.
    #[error("the token's signature is wrong")]
    Signature,
    /// Someone else's, or for someone else.
    #[error("the token is not for calls through Lockgate")]
    Audience,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It begins in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// A security event cut its version off.
    #[error("the token's version was cut off after a security event")]
    CutOff,
    /// Its agent has no such version.
    #[error("the token's version is not known")]
    UnknownVersion,
    /// The version of this name is another one now.
    #[error("the token was issued for another content of its version")]
    OtherManifest,
    /// Someone revoked it.
    #[error("the token was revoked")]
    Revoked,
    /// Neither we nor an issuer that is configured.
    #[error("the token's issuer is not known")]
    UnknownIssuer,
    /// Another algorithm than its key is for.
    #[error("the token's algorithm is not one that is taken from its issuer")]
    OutsideAlgorithm,
    /// They could not be read for too long, or never.
    #[error("the keys of the token's issuer are not known, or not any more")]
    KeysTooOld,
    /// Nobody, or several.
    #[error("the token does not stand for one version")]
    Unmapped,
    /// No delegation of ours, or several.
    #[error("the delegation was not given out here")]
    DelegationForged,
    /// It is over.
    #[error("the delegation has expired")]
    DelegationExpired,
    /// It is for another agent.
    #[error("the delegation is for another agent")]
    DelegationOther,
    /// Somebody who passed it on was revoked, cut off or is no more.
    #[error("an agent that the call is made for may not call any more")]
    GiverGone,
    /// No word on a caller of ours.
    #[error("the word on who calls was not given out here")]
    CallerForged,
    /// Another gateway's, or of before a restart: nobody here knows whether it was shown.
    #[error("the word on who calls was given out by another gateway, or before its restart")]
    CallerElsewhere,
    /// It is for another agent.
    #[error("the word on who calls is for another agent")]
    CallerOther,
    /// It is over.
    #[error("the word on who calls has expired")]
    CallerExpired,
    /// Whoever called was revoked, cut off or stopped since.
    #[error("whoever called, or an agent that it called for, may not call any more")]
    CallerGone,
    /// It is about another message.
    #[error("the word on who calls is about another message")]
    CallerMessage,
    /// It was shown before.
    #[error("the word on who calls was shown before")]
    CallerReplayed,
    /// Whether one was shown before could not be remembered.
    #[error("more calls than can be told apart are answered at the moment")]
    CallersFull,
    /// Nothing could be said of it later.
    #[error("the token does not say when it was issued, and until when it is good")]
    Undated,
}
