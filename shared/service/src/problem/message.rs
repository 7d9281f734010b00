//! What is wrong with a message, as a problem: one table for both services.

use raclette_api::{ApiError, Fault};

use super::{Code, Problem};

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        let code = match error.fault {
            Fault::Malformed => Code::InvalidBody,
            Fault::Inconsistent => Code::InconsistentBody,
            Fault::Protocol => Code::UnsupportedProtocol,
            Fault::Network => Code::WrongNetwork,
            Fault::Signature => Code::BadSignature,
        };
        let message = format!("expected {}, found {}", error.expected, error.found);
        Self::new(code, error.to_string()).field(error.field, message).expected(error.expected).seen(error.found)
    }
}

impl Problem {
    /// What is wrong with a part of the path or of the query: 400 `invalid_parameter`. What has the right shape and cannot
    /// be all the same (an address whose checksum is wrong) names nothing that exists: 404 `not_found`.
    #[must_use]
    pub fn parameter(error: ApiError) -> Self {
        let code = if error.fault == Fault::Inconsistent { Code::NotFound } else { Code::InvalidParameter };
        let detail = error.to_string();
        Self::new(code, detail).expected(error.expected).seen(error.found)
    }
}

#[cfg(test)]
mod tests {
    use raclette_api::ApiError;

    use super::{Code, Problem};

    #[test]
    fn the_field_at_fault_is_named() {
        let error = ApiError::malformed("amount", "at most 9", 10).within("transactions[3]");
        let problem = Problem::from(error.clone());
        assert_eq!(problem.code(), Code::InvalidBody);
        assert_eq!(problem.details().errors[0].field, "transactions[3].amount");
        assert_eq!(Problem::parameter(error).code(), Code::InvalidParameter);
        let error = ApiError::inconsistent("id", "aa", "bb");
        assert_eq!(Problem::from(error.clone()).code(), Code::InconsistentBody);
        assert_eq!(Problem::parameter(error).code(), Code::NotFound);
    }

    #[test]
    fn only_a_wrong_signature_is_forbidden() {
        assert_eq!(Problem::from(ApiError::signature("signature", "ours", "theirs")).code(), Code::BadSignature);
        assert_eq!(Problem::from(ApiError::protocol(2)).code(), Code::UnsupportedProtocol);
    }
}
