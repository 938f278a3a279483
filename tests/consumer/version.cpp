// The least that a user can do with an installed coproc: read its version.
#include <coproc/version.hpp>

#include <iostream>

int main() { std::cout << COPROC_VERSION << '\n'; }
