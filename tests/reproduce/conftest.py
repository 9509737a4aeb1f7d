"""The release of the small image that tests/release makes."""

from tests.release.conftest import released as released
