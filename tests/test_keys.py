"""Key files and the sessions kept beside them."""

import logging
import os
import pathlib
import random
import stat

import pytest

from se.errors import KeyFileError
from se.keys import SessionStore, read_key_file
from se.wire.crypto import Cipher
from se.wire.message import Message
from tests.captures import ENCRYPTED, SET_KEY, TRIPLE_KEY

KEY = "00112233445566778899aabbccddeeff"
OTHER = "ffeeddccbbaa99887766554433221100"
INVERTER = 0x7F101234
OPENING = bytes(range(34))


def write(path: pathlib.Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def encrypted(key: str) -> bytes:
    message = Message(1, INVERTER, 0xFFFFFFFE, 0x0500, b"data")
    return Cipher(bytes.fromhex(key), OPENING).encrypt(message, 1, bytes(20)).payload


def test_a_key_as_sekey_writes_it(tmp_path: pathlib.Path) -> None:
    for text in (KEY, KEY.upper() + "\n", f"# mine\n\n  {KEY}  \r\n"):
        keys = read_key_file(write(tmp_path / "my.key", text))
        assert (keys.bound, keys.unbound) == ({}, [bytes.fromhex(KEY)])


def test_a_file_named_after_an_inverter_binds_its_key(tmp_path: pathlib.Path) -> None:
    keys = read_key_file(write(tmp_path / "7f101234.key", KEY))
    assert (keys.bound, keys.unbound) == ({INVERTER: bytes.fromhex(KEY)}, [])


def test_lines_with_an_id_bind_and_others_do_not(tmp_path: pathlib.Path) -> None:
    keys = read_key_file(write(tmp_path / "keys", f"7F101234 {KEY}\n{OTHER}\n"))
    assert keys.bound == {INVERTER: bytes.fromhex(KEY)}
    assert keys.unbound == [bytes.fromhex(OTHER)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "there is no key in it"),
        ("# nothing\n", "there is no key in it"),
        (KEY[:-1], "line 1 is no key: expected 32 hex digits.*found 31 characters"),
        (f"{KEY}\n{KEY}0", "line 2 is no key"),
        (f"7f10123x {KEY}", "line 1 is no key"),
        ("\u00e9" * 32, "line 1 is no key"),
        (f"7f101234 {KEY}\n7F101234 {OTHER}", "line 2 is a second key for 7F101234"),
    ],
)
def test_a_malformed_file_is_explained_and_no_key_is_shown(
    tmp_path: pathlib.Path, text: str, complaint: str
) -> None:
    path = write(tmp_path / "bad.key", text)
    with pytest.raises(KeyFileError, match=f"^{path}: {complaint}") as error:
        read_key_file(path)
    assert KEY[:16] not in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(KeyFileError, match=r"none\.key: No such file"):
        read_key_file(str(tmp_path / "none.key"))
    with pytest.raises(KeyFileError, match="Is a directory"):
        SessionStore([str(tmp_path)])


def test_two_files_with_different_keys_for_one_inverter_are_refused(
    tmp_path: pathlib.Path,
) -> None:
    first = write(tmp_path / "7f101234.key", KEY)
    second = write(tmp_path / "all", f"7f101234 {OTHER}")
    SessionStore([first, first])
    with pytest.raises(KeyFileError, match="all: has a second key for 7F101234"):
        SessionStore([first, second])


def test_the_session_survives_a_restart(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "7f104920.key", TRIPLE_KEY.hex())
    store = SessionStore([path])
    opening, message = Message.parse(SET_KEY), Message.parse(ENCRYPTED)
    store.keyring.open_session(opening.source, opening.payload, 1446346358)
    store.save()
    assert SessionStore([path]).keyring.decrypt(message.payload) is not None


def test_the_file_of_sessions_is_private_and_holds_no_key(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "my.key", f"{KEY}\n{OTHER}")
    store = SessionStore([path])
    store.save()
    assert os.listdir(tmp_path) == ["my.key"]
    store.keyring.open_session(INVERTER, OPENING, 1446346358)
    assert store.keyring.decrypt(encrypted(OTHER)) is not None
    store.save()
    sessions = tmp_path / "my.key.sessions"
    assert stat.S_IMODE(sessions.stat().st_mode) == 0o600
    [number, payload, time, check] = sessions.read_text().split()
    assert (number, payload, time) == ("7F101234", OPENING.hex(), "1446346358")
    assert len(check) == 6 and check not in OTHER
    cipher = SessionStore([path]).keyring.cipher(INVERTER)
    assert cipher is not None and cipher.key.hex() == OTHER


def test_each_file_keeps_the_sessions_that_its_keys_may_open(tmp_path: pathlib.Path) -> None:
    bound = write(tmp_path / "7f101234.key", KEY)
    free = write(tmp_path / "free.key", OTHER)
    store = SessionStore([bound, free])
    store.keyring.open_session(INVERTER, OPENING, 1446346358)
    store.keyring.open_session(5, OPENING, 1446346358)
    store.save()
    assert (tmp_path / "7f101234.key.sessions").read_text().split()[0] == "7F101234"
    assert (tmp_path / "free.key.sessions").read_text().split()[0] == "5"


def test_a_damaged_file_of_sessions_is_logged_and_read_as_far_as_possible(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "7f101234.key", KEY)
    line = f"7F101234 {OPENING.hex()} 1446346358 -\n"
    (tmp_path / "7f101234.key.sessions").write_text("\u00e9\n" + line + line[:20])
    assert SessionStore([path]).keyring.decrypt(encrypted(KEY)) is not None
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "line 1 is damaged and left out",
        "line 3 is damaged and left out",
    ]


def test_a_file_of_sessions_that_cannot_be_read_is_only_logged(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "7f101234.key", KEY)
    (tmp_path / "7f101234.key.sessions").mkdir()
    assert SessionStore([path]).keyring.stored_sessions == []
    assert "Is a directory: sessions of earlier runs are not known" in caplog.text


def test_the_sessions_of_an_old_recording_do_not_push_out_those_of_today(
    tmp_path: pathlib.Path,
) -> None:
    path = write(tmp_path / "7f101234.key", KEY)
    source = random.Random(1)
    live = SessionStore([path])
    live.keyring.open_session(INVERTER, OPENING, 2_000_000_000)
    live.save()
    archive = SessionStore([path])
    for number in range(20):
        archive.keyring.open_session(INVERTER, source.randbytes(34), 1_500_000_000 + number)
        archive.save()
    assert (tmp_path / "7f101234.key.sessions").read_text().count("\n") == 8
    assert SessionStore([path]).keyring.decrypt(encrypted(KEY)) is not None


def test_openings_in_a_flood_are_saved_once_a_second(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "my.key", KEY)
    store = SessionStore([path])
    saved = []
    for now in (100.0, 100.5, 100.9, 101.0, 101.5):
        monkeypatch.setattr("se.keys.time.monotonic", lambda now=now: now)
        store.keyring.open_session(int(10 * now), OPENING, 1446346358)
        store.save_soon()
        saved.append((tmp_path / "my.key.sessions").read_text().count("\n"))
    assert saved == [1, 1, 1, 4, 4]
    store.save()
    assert (tmp_path / "my.key.sessions").read_text().count("\n") == 5


def test_two_programs_keep_each_others_sessions(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "my.key", KEY)
    stores = [SessionStore([path]), SessionStore([path])]
    for number, store in enumerate(stores):
        store.keyring.open_session(INVERTER + number, OPENING, 1446346358)
        store.save()
    assert len(SessionStore([path]).keyring.stored_sessions) == 2


def test_an_id_may_carry_the_extra_bit(tmp_path: pathlib.Path) -> None:
    keys = read_key_file(write(tmp_path / "keys", f"\ufeff7f901234 {KEY}\n"))
    assert keys.bound == {INVERTER: bytes.fromhex(KEY)}


def test_sessions_that_cannot_be_kept_are_told_once(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    store = SessionStore([write(folder / "my.key", KEY)])
    folder.rename(tmp_path / "gone")
    source = random.Random(1)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            store.keyring.open_session(INVERTER, source.randbytes(34), 1446346358)
            store.save()
    assert len(caplog.records) == 1
    assert "will not survive a restart" in caplog.text


def test_a_keyring_without_keys_keeps_nothing(tmp_path: pathlib.Path) -> None:
    store = SessionStore([])
    store.keyring.open_session(INVERTER, OPENING, 1446346358)
    store.save()
    assert os.listdir(tmp_path) == []
