//! The tracker's page: its files.

use axum::Router;
use raclette_service::page;

use super::App;

const INDEX: &str = include_str!("../../page/index.html");

const FILES: &[page::File] = &[
    ("main.js", include_str!("../../page/main.js")),
    ("members.js", include_str!("../../page/members.js")),
    ("told.js", include_str!("../../page/told.js")),
];

/// The page of a tracker that is found at `url`.
pub(super) fn routes(network: &str, url: &str) -> Router<App> {
    let hint = format!(
        "{network} - a Raclette tracker\n\n\
         {url}/              this, as a page in a browser\n\
         {url}/docs/         every call, to be tried in a browser\n\
         {url}/openapi.json  every call, for programs\n\
         {url}/network       what the network is\n\
         {url}/peers         who belongs to it\n\
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
