"""Results of the tests go to a directory of their own."""

from tests.isolation import use_own_directory

use_own_directory()
