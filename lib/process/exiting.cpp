#include "process/exiting.hpp"

#include "process/unique_fd.hpp"

#include <charconv>
#include <cstdio>

#include <fcntl.h>

namespace coproc::process {

bool says_exiting(std::string_view stat) noexcept {
    // "PID (name) state ppid pgrp session tty tpgid flags ...": the name may hold anything.
    constexpr unsigned long exiting = 0x4; // PF_EXITING of the kernel's sched.h
    constexpr int fields_before_flags = 6;
    const std::size_t name_end = stat.rfind(") ");
    if (name_end == std::string_view::npos) {
        return false;
    }
    std::string_view rest = stat.substr(name_end + 2);
    for (int i = 0; i < fields_before_flags; ++i) {
        const std::size_t space = rest.find(' ');
        if (space == std::string_view::npos) {
            return false;
        }
        rest.remove_prefix(space + 1);
    }
    unsigned long flags = 0;
    std::from_chars(rest.data(), rest.data() + rest.size(), flags);
    return (flags & exiting) != 0;
}

bool is_exiting(pid_t process) noexcept {
    char path[32];
    std::snprintf(path, sizeof path, "/proc/%d/stat", static_cast<int>(process));
    const unique_fd file(::open(path, O_RDONLY | O_CLOEXEC));
    char text[512];
    const ssize_t size = file ? ::read(file.get(), text, sizeof text) : -1;
    return size <= 0 || says_exiting({text, static_cast<std::size_t>(size)});
}

} // namespace coproc::process
