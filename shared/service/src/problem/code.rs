//! The table of problem codes: names that clients may rely on, with the status and the title of each.

use std::{fmt, str::FromStr};

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the same request could ever succeed.
#[derive(PartialEq, Eq)]
enum Hope {
    /// The request itself is wrong: sending it again is pointless.
    Permanent,
    /// Something else may change: sending it again may help.
    Passing,
}
use Hope::{Passing, Permanent};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:ident, $hope:ident, $title:literal;)+) => {
        /// What went wrong: the stable, machine-readable name of a problem.
        ///
        /// A code's meaning never changes; new ones may be added. Texts for people (title, detail) may change at any
        /// time.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        #[schema(as = ProblemCode)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used in JSON, such as `unknown_block`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The HTTP status of a problem with this code.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// One short sentence for people, the same for every problem with this code.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }

            /// Whether a sender should give up on this request and set it aside.
            ///
            /// Only for what the request itself carries wrongly. Everything else may pass: a restart with other
            /// settings, a new block, a higher epoch.
            #[must_use]
            pub const fn permanent(self) -> bool {
                match self { $(Self::$variant => matches!($hope, Permanent)),+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or something follows after it.
    MalformedJson = "malformed_json", BAD_REQUEST, Permanent, "The body is not well-formed JSON";
    /// The body is JSON, but not of the shape that this route reads.
    InvalidBody = "invalid_body", UNPROCESSABLE_ENTITY, Permanent, "The body has the wrong shape";
    /// The body has the right shape, but its values do not fit together, or an address its own checksum.
    InconsistentBody = "inconsistent_body", CONFLICT, Permanent, "The values of the body do not fit together";
    /// A part of the path or of the query has the wrong shape.
    InvalidParameter = "invalid_parameter", BAD_REQUEST, Permanent, "A parameter has the wrong shape";
    /// There is nothing at this path.
    NotFound = "not_found", NOT_FOUND, Passing, "There is nothing here";
    /// No transaction with this id is known here.
    UnknownTransaction = "unknown_transaction", NOT_FOUND, Passing, "This transaction is not known here";
    /// No block with this hash or height is known here.
    UnknownBlock = "unknown_block", NOT_FOUND, Passing, "This block is not known here";
    /// No account with this address was ever used.
    UnknownAccount = "unknown_account", NOT_FOUND, Passing, "This account is not known here";
    /// Nobody with this name is in the list of peers.
    UnknownPeer = "unknown_peer", NOT_FOUND, Passing, "This peer is not known here";
    /// No mining job with this id was started here.
    UnknownJob = "unknown_job", NOT_FOUND, Passing, "This job is not known here";
    /// The transaction carries no message, or its message is not kept here.
    UnknownMessage = "unknown_message", NOT_FOUND, Passing, "This message is not known here";
    /// The path exists, but not with this method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, Passing, "The method is not allowed here";
    /// The request did not arrive within the time allowed.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, Passing, "The request took too long to arrive";
    /// The body is longer than this route reads.
    PayloadTooLarge = "payload_too_large", PAYLOAD_TOO_LARGE, Permanent, "The body is too large";
    /// The body is not declared as JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, Permanent, "The body is not declared as JSON";
    /// The Host header names somebody else.
    MisdirectedRequest = "misdirected_request", MISDIRECTED_REQUEST, Passing, "This service does not answer to that host name";
    /// The sender asks more often than is allowed.
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, Passing, "Too many requests";
    /// The route belongs to the owner, and no token came along.
    TokenMissing = "token_missing", UNAUTHORIZED, Passing, "The owner's token is missing";
    /// The route belongs to the owner, and the token is another one.
    TokenWrong = "token_wrong", UNAUTHORIZED, Passing, "The owner's token is wrong";
    /// A signature does not fit what it is said to sign, or is not of the kind expected.
    BadSignature = "bad_signature", FORBIDDEN, Permanent, "The signature is wrong";
    /// The network asks newcomers for a join token, and it is missing or another one.
    JoinTokenWrong = "join_token_wrong", FORBIDDEN, Passing, "The join token is missing or wrong";
    /// The account cannot pay this.
    InsufficientFunds = "insufficient_funds", CONFLICT, Passing, "The account holds too little";
    /// The sequence number is not one that the account may use now.
    WrongSequence = "wrong_sequence", CONFLICT, Passing, "The sequence number does not fit";
    /// The name belongs to another key.
    NameTaken = "name_taken", CONFLICT, Passing, "The name belongs to another key";
    /// Something newer about this peer is known already.
    StaleEpoch = "stale_epoch", CONFLICT, Passing, "A newer epoch is known";
    /// The request was made for another network.
    WrongNetwork = "wrong_network", CONFLICT, Passing, "This belongs to another network";
    /// The request was made for another tracker, or is signed by one that is not pinned.
    WrongTracker = "wrong_tracker", CONFLICT, Passing, "This belongs to another tracker";
    /// The network has its genesis block already.
    GenesisExists = "genesis_exists", CONFLICT, Passing, "The genesis block exists already";
    /// The request does not fit the present state.
    Conflict = "conflict", CONFLICT, Passing, "This does not fit the present state";
    /// Another request with this idempotency key came before.
    IdempotencyKeyReused = "idempotency_key_reused", CONFLICT, Passing, "The idempotency key belongs to another request";
    /// A request with this idempotency key is being answered.
    IdempotencyKeyInUse = "idempotency_key_in_use", CONFLICT, Passing, "A request with this idempotency key is under way";
    /// The ledger's policy does not take this transaction (too old, from the future, fee too low, and so on).
    TransactionRefused = "transaction_refused", CONFLICT, Passing, "The transaction is refused";
    /// A rule of the chain does not allow this block.
    BlockRefused = "block_refused", CONFLICT, Passing, "The block is refused";
    /// The ledger has no room for this transaction.
    LedgerFull = "ledger_full", SERVICE_UNAVAILABLE, Passing, "The ledger is full";
    /// The recipient's public key is not known here, so nothing can be sealed for it.
    RecipientKeyUnknown = "recipient_key_unknown", CONFLICT, Passing, "The recipient's key is not known here";
    /// Nobody with the right key answers at the address supplied.
    UnreachableAddress = "unreachable_address", CONFLICT, Passing, "The address supplied does not answer as it should";
    /// The address supplied is outside the ranges that this service calls.
    ForbiddenAddress = "forbidden_address", CONFLICT, Passing, "The address supplied is not allowed";
    /// The sender speaks a protocol version that this service does not.
    UnsupportedProtocol = "unsupported_protocol", CONFLICT, Passing, "The protocol version is not supported";
    /// The peer was not started with `--chaos`.
    ChaosOff = "chaos_off", CONFLICT, Passing, "This peer has no chaos switches";
    /// A fault that the owner switched on is in the way.
    Chaos = "chaos", SERVICE_UNAVAILABLE, Passing, "A fault that was switched on is in the way";
    /// The service is starting, or waits for something it needs.
    NotReady = "not_ready", SERVICE_UNAVAILABLE, Passing, "The service is not ready";
    /// The service is about to stop.
    ShuttingDown = "shutting_down", SERVICE_UNAVAILABLE, Passing, "The service is shutting down";
    /// The disk is full: nothing can be stored, reading goes on.
    StorageFull = "storage_full", INSUFFICIENT_STORAGE, Passing, "The disk is full";
    /// The service's file is not what it wrote: bytes of it have changed.
    StorageDamaged = "storage_damaged", INTERNAL_SERVER_ERROR, Passing, "The database is damaged";
    /// A fault of the service itself; the cause is in its log, under the request id.
    Internal = "internal", INTERNAL_SERVER_ERROR, Passing, "Something went wrong in the service";
}

impl Code {
    /// The problem type (RFC 9457): a relative reference, `/problems/` and the name with dashes.
    #[must_use]
    pub fn type_reference(self) -> String {
        format!("/problems/{}", self.name().replace('_', "-"))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is not a code of this version's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a known problem code")]
pub struct UnknownCode;

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|code| code.name() == text).ok_or(UnknownCode)
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn json_display_and_parse_use_the_same_name() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
            assert_eq!(code.to_string().parse::<Code>().unwrap(), *code);
        }
    }

    #[test]
    fn only_what_the_request_itself_carries_wrongly_is_permanent() {
        let permanent: Vec<_> = Code::ALL.iter().filter(|code| code.permanent()).map(|code| code.name()).collect();
        let expected = [
            "malformed_json",
            "invalid_body",
            "inconsistent_body",
            "invalid_parameter",
            "payload_too_large",
            "unsupported_media_type",
            "bad_signature",
        ];
        assert_eq!(permanent, expected);
    }

    #[test]
    fn every_code_is_an_error_status() {
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code}");
        }
    }

    #[test]
    fn the_type_is_written_with_dashes() {
        assert_eq!(Code::UnknownBlock.type_reference(), "/problems/unknown-block");
    }
}
