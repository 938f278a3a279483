// What goes in comes out: every built-in codec, by value.
#include "support/catch.hpp"
#include "unit/codec_trip.hpp"

#include <coproc/submit.hpp>

TEST_CASE("numbers come back as they were", "[codec]") {
    CHECK(trip(-7) == -7);
    CHECK(trip(0.1) == 0.1);
    CHECK(trip(0.1L) == 0.1L);
    CHECK(trip('x') == 'x');
    CHECK(trip(true) == true);
}
