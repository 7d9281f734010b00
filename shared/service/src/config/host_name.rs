//! The machine's host name, for settings that are the same in many containers.

/// What stands for the host name in a setting.
const PLACEHOLDER: &str = "@hostname";

/// Where Linux tells the host name.
const FILE: &str = "/proc/sys/kernel/hostname";

/// The setting itself, or this machine's host name in lower case, up to the first dot, if the setting is `@hostname`. In a
/// container that is the container's short id, or the name it was given. Where Linux does not tell it, the environment
/// variable `HOSTNAME` does; where neither does it is empty, which no setting accepts.
#[must_use]
pub fn resolve(setting: &str) -> String {
    if setting != PLACEHOLDER {
        return setting.to_owned();
    }
    let told = std::fs::read_to_string(FILE).or_else(|_| std::env::var("HOSTNAME")).unwrap_or_default();
    told.trim().split('.').next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn only_the_placeholder_is_replaced() {
        assert_eq!(resolve("alice"), "alice");
        assert_eq!(resolve("@hostnames"), "@hostnames");
        let own = resolve("@hostname");
        assert!(!own.is_empty() && !own.contains(['.', '@']), "{own}");
    }
}
