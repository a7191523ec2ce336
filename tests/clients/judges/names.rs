//! What is protected and what isn't, said a second time and without the policy; and file names of either kind.

use super::dice::Dice;

/// Projects that the rules of [`super::pages`] protect.
pub(super) const PROTECTED: &[&str] =
    &["acme", "acme-core", "acme-x-y", "acme-sdk-2", "corp-core1", "corp-core007", "corp-data22"];

/// Projects whose names come close, and that nobody protects.
pub(super) const STRANGERS: &[&str] =
    &["acme-sdk", "acmeco", "x-acme", "my-acme-core", "corp-core", "corp-core1-utils", "corp-data1x", "ac-me"];

/// Whether the rules protect the project with this normalized name.
pub(super) fn is_protected(project: &str) -> bool {
    let digits = ["corp-core", "corp-data"].into_iter().find_map(|word| project.strip_prefix(word));
    let corp = digits.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()));
    (project == "acme" || project.starts_with("acme-") || corp) && project != "acme-sdk"
}

/// A way to write `project`, with one of `separators` for each dash.
pub(super) fn display(dice: &mut Dice, project: &str, separators: &[&str]) -> String {
    let mut written = String::new();
    for letter in project.chars() {
        match letter {
            '-' => written.push_str(dice.pick(separators)),
            _ if dice.once_in(5) => written.push(letter.to_ascii_uppercase()),
            _ => written.push(letter),
        }
    }
    written
}

/// Any separators; and those that a wheel's or an egg's name may have.
pub(super) const ANY: &[&str] = &["-", "_", ".", "--", "_-", "._-", "__"];
const NO_DASH: &[&str] = &["_", ".", "__", "_."];

/// A file that some client takes for one of a protected project; its version is above 90.
pub(super) fn protected_file(dice: &mut Dice) -> String {
    let project = dice.pick(PROTECTED);
    let version = format!("{}.{}", 91 + dice.below(9), dice.below(20));
    let form = dice.below(12);
    let name = display(dice, project, if form < 4 { NO_DASH } else { ANY });
    match form {
        0 => format!("{name}-{version}-py3-none-any.whl"),
        // With the name's own dashes, which poetry doesn't mind.
        1 => format!("{project}-{version}-py3-none-any.whl"),
        2 => format!(
            "{name}-{version}-{}",
            dice.pick(&["7-py3-none-any.whl", "1x-cp39-abi3-win32.whl", "py3-none-any-x.whl"])
        ),
        3 => format!("{name}-{version}-{}", dice.pick(&["py2.7.egg", "py3.9-linux-x86_64.egg", "py3.9.EGG"])),
        4..9 => {
            let extension = dice.pick(&[
                ".tar.gz",
                ".zip",
                ".tar.bz2",
                ".tgz",
                ".tar",
                ".tar.xz",
                ".txz",
                ".tlz",
                ".tar.lzma",
                ".tbz",
                ".ZIP",
                ".Tar.Gz",
                ".tar.Z",
                ".tar.zst",
            ]);
            let v = dice.pick(&["", "", "", "v", "1!", " "]);
            let more = dice.pick(&[
                "",
                "",
                "-1",
                "-1 ",
                "-rc-1",
                "-post-2",
                "rc1",
                ".dev3",
                "+local-1",
                "-a-1-post-2-dev-3",
                "-py3.9",
                "-1-py2.7",
                "-py39",
                "-12345678901234567890123",
                ".linux-x86_64",
                ".macosx-10.9-x86_64",
            ]);
            format!("{name}-{v}{version}{more}{extension}")
        }
        9 => format!(
            "{name}-{version}.{}",
            dice.pick(&["win32.exe", "win-amd64-py3.8.exe", "win-amd64-py2.7.msi", "win32.msi"])
        ),
        10 => format!("{name}-{version}-{}", dice.pick(&["1.noarch.rpm", "2.src.rpm", "1.x86_64.rpm"])),
        _ => format!("{name}-{version}.zip{}", dice.pick(&[".asc", ".metadata", ".provenance", ".sig", ".asc.SIG"])),
    }
}

/// A file that may go or stay: no reader has a single opinion of it, or nobody installs such a thing.
pub(super) fn doubtful_file(dice: &mut Dice, project: &str) -> String {
    let stranger = dice.pick(STRANGERS);
    let stranger = display(dice, stranger, ANY);
    let own = display(dice, project, ANY);
    match dice.below(8) {
        0 => format!("{stranger}-1.{}.zip", dice.below(9)),
        1 => format!("{stranger}-1.0-{}.tar.gz", dice.below(9)),
        2 => format!("{own}-9{}.0-1.tar.gz", dice.below(9)),
        3 => format!("{own}-95.0.win-amd64-py3.9.exe"),
        4 => format!("{own}-95.0-1.noarch.rpm"),
        5 => dice
            .pick(&["README.txt", "acme.txt", "acme", "latest", "index.html", "a-b-c-d", "x-1.0.acme-1.0"])
            .to_owned(),
        6 => format!("{stranger}-1.0-{}.zip", dice.pick(&["py3.9", "0-1", "beta"])),
        _ => format!("{own} -9{}.0 .zip", dice.below(9)),
    }
}
