#pragma once

#include "process/spawn.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A test program that executes itself: what it then does is a role. A role talks to the test over
// the descriptors that it was given, and its exit status is 0 if it saw what it should.
namespace coproc::test {

/// How long a test waits for anything before it fails.
inline constexpr int patience_ms = 60'000;

using arguments = std::vector<std::string>;

/// Registers a role under a name.
struct child_role {
    child_role(const char* name, int (*run)(const arguments&));
};

/// If the command line asks for a role: runs it and returns its exit status, else -1.
int run_role_if_asked(int argc, char** argv);

/// A request to start this program in a role; descriptors and variables can be added.
process::spawn_request role_request(std::string role, arguments = {});

/// Starts it and requires that this succeeds.
process::child start(const process::spawn_request& request);

/// Waits for the end of the process.
process::exit_status wait_for_end(process::child& process);

/// Two connected stream sockets, close-on-exec.
std::pair<process::unique_fd, process::unique_fd> make_socket_pair();

/// What arrives until the other end is closed by all who hold it; a failure if that takes too long.
std::string read_to_end(int descriptor);

/// Exactly so many bytes; fewer if the other end is closed before.
std::string read_bytes(int descriptor, std::size_t count);

void write_text(int descriptor, std::string_view text);

/// The directory of this program, where its sample libraries lie too.
std::string program_directory();

/// A file of this size that exists in memory only.
process::unique_fd make_memory_file(std::size_t size_bytes);

} // namespace coproc::test
