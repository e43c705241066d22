"""config.toml: what is accepted, what each error says, where secrets come from, and that the manual is complete."""

from __future__ import annotations

import contextlib
import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports import config_models as models
from transports.config import Config, ConfigErrors, load
from transports.config_errors import Problem
from transports.config_values import HostPort, Rate, domain, user
from transports.secrets import open_key

ROOT = Path(__file__).parents[1]
CANARY = "canary-5e1f7d0c9a3b"

SMALL = """
[xmpp]
secret = "a-long-enough-secret"
[irc]
domain = "irc.example.org"
"""


def read(folder: Path, text: str, **environ: str) -> Config:
    path = folder / "config.toml"
    path.write_text(text)
    return load(path, environ)


def problems(folder: Path, text: str, **environ: str) -> list[str]:
    """The lines `check` prints, without the file's name."""
    with pytest.raises(ConfigErrors) as caught:
        read(folder, text, **environ)
    return [line.removeprefix("config.toml: ") for line in caught.value.lines()]


# What is accepted -------------------------------------------------------------------------------------------------


def test_the_smallest_configuration_has_sane_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, SMALL)
    [irc] = config.components()
    assert (irc.name, irc.module, irc.domain) == ("irc", "transports.bridges.irc.bridge", "irc.example.org")
    assert (irc.host, irc.port, irc.tls, irc.users, irc.admins) == ("127.0.0.1", 5347, "off", ("example.org",), ())
    assert irc.secret.get_secret_value() == "a-long-enough-secret"
    assert config.store.path == tmp_path / "transports.db"


def test_a_bridge_may_have_a_server_and_a_secret_of_its_own(tmp_path: Path) -> None:
    text = SMALL + 'host = "xmpp.example.net"\nport = 5275\nsecret = "another-long-secret"\n'
    [irc] = read(tmp_path, text).components()
    assert (irc.host, irc.port, irc.secret.get_secret_value()) == ("xmpp.example.net", 5275, "another-long-secret")


def test_a_network_inherits_from_irc_and_irc_from_the_defaults(tmp_path: Path) -> None:
    text = (
        SMALL + 'throttle = [10, 2]\ntls = "prefer"\n[irc.networks."IRC.Example"]\ntls = "off"\naddress = "127.0.0.1"\n'
    )
    irc = read(tmp_path, text).irc
    assert irc is not None
    listed, other = irc.network("irc.example"), irc.network("Irc.Other")
    assert (listed.address, listed.tls, listed.throttle, listed.named) == ("127.0.0.1", "off", Rate(10, 2.0), True)
    assert (other.name, other.address, other.tls, other.named) == ("irc.other", "irc.other", "prefer", False)
    assert other.connect_rate == Rate(10, 1.0)


@pytest.mark.parametrize(
    ("irc_says", "network_says", "listed", "others"),
    [
        ("", "", True, False),
        ("private_addresses = false", "", True, False),
        ("private_addresses = true", "", True, True),
        ("", "private_addresses = false", False, False),
    ],
)
def test_only_listed_networks_may_be_private(
    tmp_path: Path, irc_says: str, network_says: str, listed: bool, others: bool
) -> None:
    irc = read(tmp_path, f'{SMALL}\n{irc_says}\n[irc.networks."home"]\n{network_says}\n').irc
    assert irc is not None
    assert (irc.network("home").private_addresses, irc.network("away").private_addresses) == (listed, others)


def test_a_rate_of_zero_is_no_limit(tmp_path: Path) -> None:
    irc = read(tmp_path, SMALL + "throttle = 0\n").irc
    assert irc is not None
    assert irc.network("x").throttle.off
    assert not irc.network("x").connect_rate.off


def test_relative_databases_start_at_the_state_directory(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    assert read(tmp_path, SMALL, STATE_DIRECTORY=f"{state}:/elsewhere").store.path == state / "transports.db"
    absolute = read(tmp_path, f'{SMALL}[store]\nurl = "sqlite:///{tmp_path}/other.db"\n', STATE_DIRECTORY=str(state))
    assert absolute.store.path == tmp_path / "other.db"
    assert absolute.store.url.get_secret_value() == f"sqlite:///{tmp_path}/other.db"


def test_a_bridge_of_ones_own(tmp_path: Path) -> None:
    text = (
        SMALL
        + '[bridges.echo]\nmodule = "email.message"\ndomain = "echo.example.org"\n[bridges.echo.options]\nx = [1]\n'
    )
    config = read(tmp_path, text)
    assert [(c.name, c.module, c.domain) for c in config.components()][1] == (
        "echo",
        "email.message",
        "echo.example.org",
    )
    assert config.bridges["echo"].options == {"x": [1]}


def test_ways_out(tmp_path: Path) -> None:
    irc = read(
        tmp_path,
        SMALL
        + 'bind = "2001:DB8::/64"\nidentd = "systemd"\nproxy = "socks5://u:p%40@[::1]:1080"\n'
        + '[irc.networks.x]\nbind = "192.0.2.7"\nwebirc = "pw"\n',
    ).irc
    assert irc is not None
    other, listed = irc.network("other"), irc.network("x")
    assert (irc.identd, other.bind, listed.bind) == ("systemd", "2001:db8::/64", "192.0.2.7")
    assert other.proxy is not None and other.proxy.get_secret_value() == "socks5://u:p%40@[::1]:1080"
    assert other.webirc is None and listed.webirc is not None and listed.webirc_host == "user"


def test_a_webirc_password_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("from a file\n")
    irc = read(tmp_path, SMALL + '[irc.networks.x]\nwebirc_file = "w"\n').irc
    webirc = irc.network("x").webirc if irc is not None else None
    assert webirc is not None and webirc.get_secret_value() == "from a file"


@pytest.mark.parametrize(
    ("given", "prepared"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("localhost", "localhost"),
        ("xn--bcher-kva.example", "bücher.example"),
        ("Me@Example.org", "me@example.org"),
        ("Straße@example.org", "strasse@example.org"),
    ],
)
def test_users_are_prepared_for_comparison(given: str, prepared: str) -> None:
    assert user(given) == prepared


@pytest.mark.parametrize("text", ["", ".", "a..b", "-a.b", "a b", "a/b", "a_b", "a@b", "a%b", "x" * 64 + ".org", "a\n"])
def test_what_is_no_domain(text: str) -> None:
    with pytest.raises(ValueError):
        domain(text)


# What each error says ---------------------------------------------------------------------------------------------

WRONG = [
    ("[xmpp]\nprot = 1", '[xmpp] prot: unknown key; did you mean "port"?'),
    ('[irc]\ntls = "yes"', '[irc] tls: got "yes", wanted one of require, prefer, off'),
    ('[xmpp]\ntls = "prefer"', '[xmpp] tls: got "prefer", wanted one of off, require'),
    ('[xmpp]\nport = "5347"', '[xmpp] port: got "5347", wanted a port number, 1 to 65535'),
    ("[xmpp]\nport = 0", "[xmpp] port: got 0, wanted a port number, 1 to 65535"),
    ("[xmpp]\nport = true", "[xmpp] port: got true, wanted a port number, 1 to 65535"),
    ('[xmpp]\nhost = "a b"', '[xmpp] host: got "a b", wanted a host name or an IP address'),
    ("[xmpp]\nusers = []", "[xmpp] users: got [], wanted a list of domains and bare JIDs"),
    ('[xmpp]\nusers = ["me@example.org/phone"]', '[xmpp] users: got "me@example.org/phone", wanted a list of'),
    ('[xmpp]\nadmins = ["*"]', '[xmpp] admins: got "*", wanted a list of bare JIDs'),
    (
        '[xmpp]\nca = "none.pem"',
        '[xmpp] ca: got "none.pem", wanted a file that can be read (No such file or directory)',
    ),
    ("[irc]\nports = [6667, 70000]", "[irc] ports: got 70000, wanted a list of port numbers, 1 to 65535"),
    ("[irc]\nthrottle = 5", "[irc] throttle: got 5, wanted [how many at once, how many a second]"),
    ("[irc]\nthrottle = [5, 0]", "[irc] throttle: got [5, 0], wanted [how many at once"),
    ("[irc]\nthrottle = [true, 1]", "[irc] throttle: got [true, 1], wanted [how many at once"),
    ('[irc]\ncharset = "utf-16"', '[irc] charset: got "utf-16", wanted a character set such as'),
    ('[irc]\ncharset = "base64"', '[irc] charset: got "base64", wanted a character set such as'),
    ('[irc]\ndomain = "irc example"', '[irc] domain: got "irc example", wanted a domain such as irc.example.org'),
    ('[irc]\nbind = "eth0"', '[irc] bind: got "eth0", wanted an IP address of this machine'),
    ('[irc]\nbind = "2001:db8::1/64"', '[irc] bind: got "2001:db8::1/64", wanted an IP address of this machine, or a network'),
    ('[irc]\nbind = "2001:db8::/126"', '[irc] bind: got "2001:db8::/126", wanted an IP address of this machine, or a network'),
    ('[irc]\nidentd = "113"', '[irc] identd: got "113", wanted an address and a port such as'),
    ('[irc]\nproxy = "http://127.0.0.1:8080"', "[irc] proxy: its value (not shown) does not fit, wanted an address such as"),
    ('[irc]\nproxy = "socks5://user@127.0.0.1:9050"', "[irc] proxy: its value (not shown) does not fit, wanted an address"),
    ('[irc]\nproxy = "socks5://127.0.0.1"', "[irc] proxy: its value (not shown) does not fit, wanted an address such as"),
    ('[irc.networks."x"]\nwebirc_host = "jid"', '[irc.networks."x"] webirc_host: got "jid", wanted one of user, domain'),
    ('[irc]\nraw = "everybody"', '[irc] raw: got "everybody", wanted one of users, admins, off'),
    ('[irc]\nserver = "a%b"', '[irc] server: got "a%b", wanted a network\'s name as users write it after the %'),
    ("[irc.limits]\nchanels = 1", '[irc.limits] chanels: unknown key; did you mean "channels"?'),
    ("[irc]\nlimits = 5", "[irc] limits: got a number, wanted a table [irc.limits]"),
    ("[irc]\nnetworks = 5", "[irc] networks: got a number, wanted tables [irc.networks.NAME]"),
    ("[irc.networks]\nx = 5", "[irc.networks] x: got a number, wanted a table [irc.networks.NAME]"),
    ('[irc.networks."x"]\npin = "abc"', '[irc.networks."x"] pin: got "abc", wanted the SHA-256 of a certificate'),
    ('[irc.networks."a@b"]\ntls = "off"', '[irc.networks."a@b"]: not a name that users can write, wanted a network\'s'),
    ("[irc.networks.x]\n[irc.networks.X]", '[irc.networks."X"]: the same network twice; capitals make no difference'),
    (
        '[irc.networks.x]\nsasl_user = "me"',
        '[irc.networks."x"] sasl_password: missing, wanted sasl_user and sasl_password',
    ),
    ('[http]\nlisten = "8088"', '[http] listen: got "8088", wanted an address and a port such as "127.0.0.1:8088"'),
    ('[http]\npublic_url = "http://x"', '[http] public_url: got "http://x", wanted an address such as https://'),
    ('[files]\nhosts = ["a b"]', '[files] hosts: got "a b", wanted a list of hosts such as ["upload.example.org"'),
    ("[files]\nkeep = 0", "[files] keep: got 0, wanted a whole number, 1 or more"),
    ('[store]\nurl = "sqlite:///none/x.db"', '[store] url: got "sqlite:///none/x.db", wanted a folder that exists'),
    ('[store]\nurl = "postgresql://h/d"', '[store] url: got "postgresql://h/d", wanted sqlite:///FILE: this version'),
    ('[store]\nurl = "sqlite://"', '[store] url: got "sqlite://", wanted sqlite:///FILE'),
    ("[stroe]\nurl = 1", "[stroe]: unknown section; did you mean [store]?"),
    ("[[store]]\nurl = 1", "[store]: got a list, wanted a table: [store] once, keys below it"),
    ('[sms]\ndomain = "sms.example.org"', "[sms]: this version bridges IRC only; leave the section out"),
    ('[smtp]\ndomain = "mail.example.org"', "[smtp]: this version bridges IRC only; leave the section out"),
    ('[smtp]\nlisten = "x"', '[smtp] listen: got "x", wanted "127.0.0.1:2424" or a socket such as'),
    ('[sms]\nnumbers = ["555"]', '[sms] numbers: got "555", wanted a list such as ["+15551234567"]'),
    (
        '[bridges.x]\nmodule = "no.such"\ndomain = "x.example.org"',
        '[bridges.x] module: got "no.such", wanted the name of',
    ),
    (
        '[bridges.x]\nmodule = "email"\ndomain = "IRC.example.org"',
        "which is the domain of [irc] too, wanted a domain of",
    ),
    ("[bridges.x]\ndomain = 'x.example.org'", "[bridges.x] module: missing, wanted the name of a Python module"),
]


def merged(extra: str) -> str:
    """SMALL with the lines of `extra` put into its sections: TOML has each section once."""
    header, _, rest = extra.partition("\n")
    if f"{header}\n" not in SMALL:
        return f"{SMALL}{extra}\n"
    key = rest.partition(" ")[0]
    kept = re.sub(rf"(?m)^{key} = .*\n", "", SMALL)
    return kept.replace(header, extra)


@pytest.mark.parametrize(("extra", "line"), WRONG)
def test_an_error_says_section_key_got_and_wanted(tmp_path: Path, extra: str, line: str) -> None:
    found = problems(tmp_path, merged(extra))
    assert any(line in each for each in found), found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "nothing to bridge, wanted a section [irc] with a domain"),
        ("\nx\n", "not TOML: Expected '=' after a key in a key/value pair (at line 2, column 2)"),
        ("port = 1" + SMALL, "port: a key outside any section; put it below its [section]"),
        (
            "[irc]\ndomain = 'irc.example.org'",
            "[xmpp] secret: missing, wanted secret, secret_file or the systemd credential",
        ),
        ("[irc]\n", "[irc] domain: missing, wanted a domain such as irc.example.org"),
        (
            "[irc]\ndomain = 'irc'",
            '[xmpp] users: missing, wanted users = ["example.org"], as "irc" of [irc] has no domain',
        ),
    ],
)
def test_an_error_of_the_whole(tmp_path: Path, text: str, line: str) -> None:
    found = problems(tmp_path, text)
    assert any(each.startswith(line) for each in found), found


def test_every_error_comes_at_once(tmp_path: Path) -> None:
    text = '[xmpp]\nprot = 1\ntls = "x"\n[irc]\nports = 1\n[store]\nurl = 1\n[irc.networks.x]\ntls = 1\n[stroe]\n'
    found = {line.partition(":")[0] for line in problems(tmp_path, text)}
    assert found == {
        "[xmpp] prot",
        "[xmpp] tls",
        "[xmpp] secret",
        "[irc] ports",
        "[irc] domain",
        "[store] url",
        '[irc.networks."x"] tls',
        "[stroe]",
    }


def test_a_problem_is_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path, SMALL + 'tls = "yes"\n')
    assert caught.value.problems == (Problem("irc", "tls", 'got "yes"', "one of require, prefer, off"),)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("none.toml", None, "none.toml: cannot read it: No such file"),
        ("x.toml", b"\xff", "x.toml: not UTF-8 at byte 0"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str, content: bytes | None, line: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigErrors) as caught:
        load(tmp_path / name, {})
    assert str(caught.value).startswith(line)


VALUES = [
    "1",
    "-1",
    "true",
    "1.5",
    "nan",
    "1979-05-27",
    '""',
    '"x"',
    '"\\u0000\\n"',
    '"a.b"',
    "[]",
    "[1]",
    '["x"]',
    "[[1]]",
    "{}",
]
SECTIONS = {
    "xmpp": models.Xmpp,
    "store": models.Store,
    "http": models.Http,
    "files": models.Files,
    "irc": models.Irc,
    "irc.archive": models.IrcArchive,
    "irc.limits": models.IrcLimits,
    'irc.networks."x"': models.Network,
    "sms": models.Sms,
    "smtp": models.Smtp,
    "bridges.x": models.Other,
}


@st.composite
def nonsense(draw: st.DrawFn) -> str:
    """TOML with known keys and values of any kind, and now and then something else where a section should be."""
    lines = []
    for name in draw(st.lists(st.sampled_from(list(SECTIONS)), unique=True, min_size=1)):
        if draw(st.integers(0, 9)) == 0:
            lines.insert(0, f"{name} = {draw(st.sampled_from(VALUES))}")
            continue
        keys = draw(st.lists(st.sampled_from(list(SECTIONS[name].model_fields)), unique=True, max_size=5))
        lines += [f"[{name}]", *(f"{key} = {draw(st.sampled_from(VALUES))}" for key in keys)]
    return "\n".join(lines)


@given(nonsense())
def test_nonsense_is_named_never_a_crash(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    with contextlib.suppress(ConfigErrors):
        read(tmp_path_factory.getbasetemp(), text)


# Secrets ----------------------------------------------------------------------------------------------------------

NO_SECRET = "[irc]\ndomain = 'irc.example.org'\n[xmpp]\n"


def secret_of(config: Config) -> str:
    return config.components()[0].secret.get_secret_value()


def test_a_secret_from_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("from-the-file\n")
    assert secret_of(read(tmp_path, NO_SECRET + "secret_file = 's'")) == "from-the-file"


@pytest.mark.parametrize("name", ["xmpp.secret", "transports_xmpp.secret"])
def test_a_secret_from_systemd(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("from-systemd")
    assert secret_of(read(tmp_path, NO_SECRET, CREDENTIALS_DIRECTORY=str(tmp_path))) == "from-systemd"


def test_a_networks_password_from_systemd(tmp_path: Path) -> None:
    (tmp_path / "irc.networks.irc.x.password").write_text("pass")
    config = read(tmp_path, SMALL + '[irc.networks."irc.x"]\n', CREDENTIALS_DIRECTORY=str(tmp_path))
    assert config.irc is not None
    password = config.irc.network("irc.x").password
    assert password is not None
    assert password.get_secret_value() == "pass"


@pytest.mark.parametrize(
    ("lines", "credential", "line"),
    [
        ("secret = 'x'\nsecret_file = 's'", False, "[xmpp] secret: given twice: secret and secret_file; keep one"),
        ("secret = 'x'", True, "[xmpp] secret: given twice: secret and the systemd credential xmpp.secret"),
        ("secret_file = 'none'", False, "[xmpp] secret_file: cannot read"),
        ("secret_file = 'empty'", False, "empty, wanted a file with the secret on its only line"),
        ("secret_file = 'binary'", False, "not UTF-8, wanted"),
        ("secret_file = 'long'", False, "too long for a secret, wanted"),
        ("secret_file = 5", False, "[xmpp] secret_file: got 5, wanted the name of a file"),
        ("secret = ''", False, "[xmpp] secret: its value (not shown) does not fit, wanted a text, not empty"),
        ("secret = 12345", False, "[xmpp] secret: its value (not shown) does not fit"),
    ],
)
def test_a_secret_that_cannot_be_had(tmp_path: Path, lines: str, credential: bool, line: str) -> None:
    (tmp_path / "s").write_text("x")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "long").write_text("x" * 20_000)
    if credential:
        (tmp_path / "xmpp.secret").write_text("y")
    found = problems(tmp_path, NO_SECRET + lines, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert any(line in each for each in found), found
    assert len(found) == 1


HIDES = [
    f"[xmpp]\nsecret = '{CANARY}'\nprot = 1",
    f"[xmpp]\nsecrt = '{CANARY}'",
    f"[xmpp]\nsecret = ['{CANARY}']",
    f"[xmpp]\nsecret = '{CANARY}\\u0001'".replace("'", '"'),
    f"[xmpp]\nsecret = {{a = '{CANARY}'}}",
    f"xmpp = '{CANARY}'",
    f"secret = '{CANARY}'",
    f"[store]\nkey = '{CANARY}'\nkey_file = 'x'",
    f"[store]\nurl = 'mysql://me:{CANARY}@db/x'",
    f"[irc.networks.x]\npassword = '{CANARY}'\nsasl_user = 'x'",
    f"[irc.networks]\npassword = '{CANARY}'",
    f"[irc.networks.x]\nwebirc = ['{CANARY}']",
    f"[irc]\nproxy = 'socks5://me:{CANARY}@'",
    f"[irc.networks.x]\nsasl_user = 'x'\nsasl_password = '{CANARY}'\ntls = 'prefer'",
    f"[sms]\nauth_token = ['{CANARY}', 1]",
    f"[smtp]\npassword = ['{CANARY}']",
    f"[xmpp]\nsecret = '{CANARY}'\n[xmpp]",
    f"[xmpp]\nsecret = '{CANARY}",
    f"[bridges.x]\nmodule = 'email'\nsecret = '{CANARY}'\noptions = 1",
]


@pytest.mark.parametrize("text", HIDES)
def test_no_error_shows_a_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path, text)
    assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.problems}"


def test_a_configuration_does_not_show_its_secrets(tmp_path: Path) -> None:
    text = SMALL.replace("a-long-enough-secret", CANARY) + f'[store]\nkey = "{CANARY}"\n'
    config = read(
        tmp_path,
        text
        + f'[irc.networks.x]\npassword = "{CANARY}"\nsasl_user = "u"\nsasl_password = "{CANARY}"\n'
        + f'webirc = "{CANARY}"\nproxy = "socks5://me:{CANARY}@127.0.0.1:1080"\n',
    )
    assert config.irc is not None
    assert CANARY not in f"{config!r} {config.components()!r} {config.irc.network('x')!r} {config.notes}"


def test_a_key_file_is_made_once(tmp_path: Path) -> None:
    store = read(tmp_path, SMALL).store
    key = store.open_key()
    assert len(key) >= 32
    assert (tmp_path / "transports.key").stat().st_mode & 0o777 == 0o600
    assert store.open_key() == key
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_written_key_makes_no_file(tmp_path: Path) -> None:
    assert read(tmp_path, SMALL + '[store]\nkey = "sixteen characters"\n').store.open_key() == "sixteen characters"
    assert not (tmp_path / "transports.key").exists()


def test_a_broken_key_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "transports.key").write_text("short")
    with pytest.raises(ValueError, match="holds no key"):
        open_key(tmp_path / "transports.key")


# Notes ------------------------------------------------------------------------------------------------------------

NOTES = [
    ("", "[store] the key that protects secrets will be made at the first start"),
    ("[xmpp]\nsecret = 'short'", "the secret for irc.example.org is short"),
    ("[xmpp]\nhost = 'xmpp.example.org'", "[xmpp] everything goes to xmpp.example.org unencrypted"),
    ("[xmpp]\nusers = ['*']", "[xmpp] users: everybody who can reach your XMPP server"),
    ("[http]\nadmin = '0.0.0.0:8089'", "[http] admin: whoever reaches 0.0.0.0"),
    ("[irc.networks.'x.org']\npassword = 'x'\ntls = 'off'", "the server's password travels unencrypted: tls is off"),
    ("[irc.networks.'x.org']\nwebirc = 'x'\ntls = 'off'", "the WEBIRC password travels unencrypted: tls is off"),
]


@pytest.mark.parametrize(("extra", "note"), NOTES)
def test_what_is_weak_is_noted(tmp_path: Path, extra: str, note: str) -> None:
    notes = read(tmp_path, merged(extra)).notes
    assert any(note in each for each in notes), notes


def test_secrets_that_others_can_read_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(SMALL)
    path.chmod(0o644)
    assert any("other users of this machine can read the secrets" in note for note in load(path, {}).notes)
    path.chmod(0o640)
    assert not any("other users of this machine" in note for note in load(path, {}).notes)


# The manual -------------------------------------------------------------------------------------------------------

SHOWN = re.compile(r"(?m)^(?:# )?(?:\[(?P<section>[^\]]+)\]|(?P<key>[a-z_]+) = )")


def keys_of_the_manual() -> set[tuple[str, str]]:
    """Every key that config.toml shows, commented out or not, with its section."""
    section, found = "", set()
    for match in SHOWN.finditer((ROOT / "config.toml").read_text()):
        section = match["section"] or section
        if match["key"]:
            found.add((section.replace("irc.demo", "x"), match["key"]))
    return found


def test_the_manual_shows_every_key_and_no_other() -> None:
    shown = ("xmpp", "store", "http", "files", "irc", "irc.archive", "irc.limits", 'irc.networks."x"')
    known = {(name, key) for name in shown for key in SECTIONS[name].model_fields}
    known -= {("irc", "archive"), ("irc", "limits"), ("irc", "networks")}  # sections of their own
    anywhere = set(models.Link.model_fields)
    missing = {
        (name, key) for name, key in known - keys_of_the_manual() if not ("networks" in name and key in anywhere)
    }
    assert missing == set()
    assert keys_of_the_manual() - known == set()


def shown_in(text: str) -> dict[str, object]:
    """What stands behind the keys that are commented out; of two with one name the last."""
    shown = re.findall(r"(?m)^# ([a-z_]+ = (?:[^\"#]|\"[^\"]*\")*?)\s+#", text)
    return tomllib.loads("\n".join(dict((line.partition(" ")[0], line) for line in shown).values()))


def test_the_manual_shows_the_defaults() -> None:
    text = (ROOT / "config.toml").read_text()
    limits = text[text.index("# [irc.limits]") : text.index("# [irc.archive]")]
    table = shown_in(text)
    defaults = models.Irc(domain="irc.example.org")
    given = {key: table[key] for key in ("tls", "tls_ports", "ports", "charset", "throttle", "connect_rate")}
    assert models.Irc(domain="irc.example.org", **given).network("x") == defaults.network("x")
    assert shown_in(limits) == defaults.limits.model_dump()
    assert (table["max_size"], table["keep"]) == (models.Files().max_size, models.Files().keep)
    assert (table["raw"], table["persistent"]) == (defaults.raw, defaults.network("x").persistent)


def test_the_manual_works_with_the_demo() -> None:
    config = load(ROOT / "config.toml", {})
    [irc] = config.components()
    assert (irc.domain, irc.host, irc.port, irc.users) == ("irc.localhost", "127.0.0.1", 5347, ("localhost",))
    assert config.irc is not None
    demo = config.irc.network("irc.demo")
    assert (demo.address, demo.ports, demo.tls, demo.private_addresses) == ("127.0.0.1", (6667,), "off", True)
    assert config.http.listen == HostPort("127.0.0.1", 8088)


def test_where_it_listens_and_which_hosts_have_files(tmp_path: Path) -> None:
    config = read(tmp_path, merged('[http]\nlisten = "unix:/run/t.sock"\npublic_url = "http://127.0.0.1:8088"'))
    assert (config.listens, config.http.listen, config.http.public_url) == (
        True,
        "unix:/run/t.sock",
        "http://127.0.0.1:8088",
    )
    assert not read(tmp_path, merged("")).listens
    hosts = ["Up.Example.org", "192.0.2.7:5443", "[2001:db8::1]:443", "2001:db8::2"]
    assert read(tmp_path, merged(f"[files]\nhosts = {hosts}")).files.hosts == (
        HostPort("up.example.org", 0),
        HostPort("192.0.2.7", 5443),
        HostPort("2001:db8::1", 443),
        HostPort("2001:db8::2", 0),
    )


def test_a_link_laid_where_the_key_is_written_first_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "somebody's"
    other.write_text("keep me")
    (tmp_path / f".transports.key.{os.getpid()}").symlink_to(other)
    with pytest.raises(OSError, match=r"."):
        open_key(tmp_path / "transports.key")
    assert other.read_text() == "keep me" and not (tmp_path / "transports.key").exists()


def test_a_networks_own_limits_stand_with_it(tmp_path: Path) -> None:
    config = read(tmp_path, merged("[irc.limits]\nlines = 7\n[irc.networks.'x.org']\nconnections = 3\nchannels = 2"))
    assert config.irc is not None
    listed, other = config.irc.network("x.org"), config.irc.network("y.org")
    assert (listed.connections, listed.channels, listed.lines) == (3, 2, 7)
    assert (other.connections, other.channels, other.lines) == (0, 0, 7)
