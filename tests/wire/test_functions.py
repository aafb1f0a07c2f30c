"""Function codes."""

from se.wire.functions import _NAMES, Function, function_name


def test_the_standard_names_are_known() -> None:
    assert len(_NAMES) == 419
    assert Function.SERVER_POST_DATA == 0x0500
    assert Function.RESP_ACK == 0x0080


def test_a_code_without_a_name_is_shown_as_it_is() -> None:
    assert function_name(0x0500) == "0500 SERVER_POST_DATA"
    assert function_name(0x03C2) == "03c2"
