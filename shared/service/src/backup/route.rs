//! The routes `POST /backup` and `GET /backups`; whoever takes them puts the owner's gate before them.

use axum::{
    extract::{FromRef, State},
    http::StatusCode,
};
use utoipa::IntoResponses;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Backup, BackupError, BackupPage, Backups};
use crate::{
    extract::Json,
    problem::{Code, CommonProblems, Problem, ProblemDetails},
};

/// What a copy may be refused with.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "the variants describe the answers and are never made")]
enum BackupProblems {
    /// `conflict`: a copy is being made
    #[response(status = 409, content_type = "application/problem+json")]
    Conflict(ProblemDetails),
}

/// The routes of a service that has copies.
pub fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Backups: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(make_backup)).routes(routes!(list_backups))
}

/// Make a checked copy of the database.
///
/// It is consistent: what was committed when the copying began, and nothing else. Work goes on meanwhile. The copy is read
/// as at a start, hashed, and put into the folder `backups` of the data directory (mode 0600); the oldest beyond the number
/// that is kept goes. The private key and the token are not in it: keep `key.pem` somewhere safe as well. `restore` of the
/// command line puts a copy back.
#[utoipa::path(post, path = "/backup", operation_id = "make_backup", tag = "owner", responses(
    (status = 201, description = "It is made and checked", body = Backup),
    CommonProblems,
    BackupProblems,
))]
async fn make_backup(State(backups): State<Backups>) -> Result<(StatusCode, Json<Backup>), Problem> {
    Ok((StatusCode::CREATED, Json(backups.make().await?)))
}

/// List the copies of the database, newest first.
#[utoipa::path(get, path = "/backups", operation_id = "list_backups", tag = "owner", responses(
    (status = 200, description = "All that are kept", body = BackupPage),
    CommonProblems,
))]
async fn list_backups(State(backups): State<Backups>) -> Result<Json<BackupPage>, Problem> {
    Ok(Json(backups.list().await?))
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        let detail = error.to_string();
        match error {
            BackupError::Busy => Self::new(Code::Conflict, detail).mend("wait for it; GET /backups lists it then"),
            full if full.is_full() => Self::new(Code::StorageFull, detail)
                .mend("free some space on the disk that holds the data directory, then try again"),
            BackupError::Unsound(error) | BackupError::Store(error) if error.is_damaged() => {
                Self::new(Code::StorageDamaged, detail)
                    .mend("see the log; docs/backup.md says how to mend a damaged file")
            }
            other => Self::internal(other),
        }
    }
}
