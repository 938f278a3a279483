// A library that tests load in several builds: with and without symbols, with and without build-id.
#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace {

int internal(int number) { return number * 3; }

} // namespace

EXPORTED int sample_function(int number) { return internal(number) + 1; }

EXPORTED const void* sample_static() { return reinterpret_cast<const void*>(&internal); }
