//! What the documentation tells receivers to do with a signature.

use protium::events::signature;
use std::process::Command;

const PAGE: &str = include_str!("../../../../../docs/events.md");
const SECRET: &str = "a secret of many bytes";
const BODY: &str = r#"{"version":"0","detail":{"name":"héllo"}}"#;
const NOW: i64 = 1_700_000_000;

/// What the Python of the page says of a request that came in at `now`: its standard output.
fn said(header: &str, body: &str, now: i64) -> String {
    let snippet = PAGE.split("```python\n").nth(1).expect("a snippet").split("```").next().expect("its end");
    let call = "import sys\nprint(is_from_protium(sys.argv[1].encode(), sys.argv[2], sys.argv[3].encode(), now=int(sys.argv[4])))\n";
    let output = Command::new("python3")
        .args(["-c", &format!("{snippet}\n{call}"), SECRET, header, body, &now.to_string()])
        .output()
        .unwrap_or_else(|why| panic!("python3 is needed on the PATH for this test: {why}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_python_of_the_page_takes_what_is_signed_and_nothing_else() {
    let signed = signature(SECRET.as_bytes(), NOW, BODY);
    let (time, mac) = signed.split_once(',').unwrap();
    let forged = signature(b"another secret, as long", NOW, BODY);
    for (header, body, now, is_right) in [
        (signed.as_str(), BODY, NOW, "True"),
        (&signed, BODY, NOW + 299, "True"),
        (&format!("{signed},v2=more"), BODY, NOW, "True"),
        (&signed, BODY, NOW + 301, "False"),
        (&signed, BODY, NOW - 301, "False"),
        (&signed, &BODY.replace("llo", "lla"), NOW, "False"),
        (&signed.replace("t=17", "t=18"), BODY, 1_800_000_000, "False"),
        (&forged, BODY, NOW, "False"),
        (time, BODY, NOW, "False"),
        (mac, BODY, NOW, "False"),
        ("", BODY, NOW, "False"),
        ("t=x,v1=é", BODY, NOW, "False"),
        ("t,v1", BODY, NOW, "False"),
    ] {
        assert_eq!(said(header, body, now), is_right, "{header} at {now}");
    }
}
