"""What is said of a port that cannot be opened."""

from se.transport.ports import explain


def test_the_explanation_of_a_forbidden_port_says_how_to_permit_it() -> None:
    assert "run with sudo" in explain(PermissionError(13, "Permission denied"), 80, "-tlpn")
    odd = explain(OSError(99, "Cannot assign requested address"), 80, "-tlpn")
    assert odd == "port 80: Cannot assign requested address"
