//! The peer's page: its files.

use axum::Router;
use raclette_service::page;

const INDEX: &str = include_str!("../../page/index.html");

const FILES: &[page::File] = &[
    ("blocks.js", include_str!("../../page/blocks.js")),
    ("ledger.js", include_str!("../../page/ledger.js")),
    ("mail.js", include_str!("../../page/mail.js")),
    ("main.js", include_str!("../../page/main.js")),
    ("mining.js", include_str!("../../page/mining.js")),
    ("peers.js", include_str!("../../page/peers.js")),
    ("queue.js", include_str!("../../page/queue.js")),
    ("wallet.js", include_str!("../../page/wallet.js")),
];

/// The page of the peer with this name, which is found at `url`.
pub(super) fn routes(name: &str, url: &str) -> Router {
    let hint = format!(
        "{name} - a Raclette peer\n\n\
         {url}/              this, as a page in a browser\n\
         {url}/docs/         every call, to be tried in a browser\n\
         {url}/openapi.json  every call, for programs\n\
         {url}/status        how it is doing\n\
         {url}/events        what happened\n"
    );
    page::routes(INDEX, FILES, hint)
}

#[cfg(test)]
mod tests {
    use super::{FILES, INDEX};

    #[test]
    fn the_page_loads_what_is_there_and_makes_no_html_of_texts() {
        for (name, text) in FILES {
            for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"] {
                assert!(!text.contains(word), "{name} names {word}");
            }
        }
        assert!(!INDEX.contains("<style") && !INDEX.contains(" style=") && !INDEX.contains("onclick"));
        assert!(INDEX.contains("/page/main.js") && FILES.iter().any(|(name, _)| *name == "main.js"));
    }
}
