#include "common/measure.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include <sched.h>

namespace bench {

double samples::percentile(double part) {
    const auto n = static_cast<double>(microseconds_.size() - 1);
    const auto at = microseconds_.begin() + static_cast<std::ptrdiff_t>(part * n);
    std::nth_element(microseconds_.begin(), at, microseconds_.end());
    return *at;
}

report::report(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        if (std::string_view(argv[i]) == "--json" && i + 1 < argc) {
            file_ = argv[++i];
        } else {
            std::fprintf(stderr, "usage: %s [--json FILE]\n", argv[0]);
            std::exit(2);
        }
    }
}

void report::add(const figure& f) {
    std::printf("%-12s %-18s %12.2f %-8s floor %12.2f   ratio %5.2f   %s\n", f.bench.c_str(),
                f.metric.c_str(), f.value, f.unit.c_str(), f.floor, f.ratio, f.extra.c_str());
    std::fflush(stdout);
    if (!file_.empty()) {
        std::ofstream out(file_, std::ios::app);
        out << "{\"bench\":\"" << f.bench << "\", \"metric\":\"" << f.metric
            << "\", \"value\":" << f.value << ", \"unit\":\"" << f.unit
            << "\", \"floor\":" << f.floor << ", \"ratio\":" << f.ratio
            << (f.extra.empty() ? "" : ", ") << f.extra << "}\n";
    }
}

void pin(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);
}

void unpin() {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
        CPU_SET(i, &set);
    }
    sched_setaffinity(0, sizeof set, &set);
}

} // namespace bench
