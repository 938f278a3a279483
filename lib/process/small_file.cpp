#include "process/small_file.hpp"

#include "process/unique_fd.hpp"

#include <algorithm>

#include <fcntl.h>
#include <unistd.h>

namespace coproc::process {

std::string read_file(const std::string& path) {
    std::string text;
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    char block[4096];
    for (ssize_t got = 1; file && got > 0;) {
        got = ::read(file.get(), block, sizeof block);
        text.append(block, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
    return text;
}

std::string_view next_line(std::string_view& text) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

} // namespace coproc::process
