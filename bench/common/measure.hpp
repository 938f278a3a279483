#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

// What every benchmark needs: samples with percentiles, pinning, and results as a table and as JSON
// lines.
namespace bench {

using clock = std::chrono::steady_clock;

/// A set of measured times.
class samples {
public:
    void add(clock::duration time) {
        microseconds_.push_back(std::chrono::duration<double, std::micro>(time).count());
    }
    /// The time that `part` of the samples do not exceed: 0.5 is the median.
    double percentile(double part);
    std::size_t size() const { return microseconds_.size(); }

private:
    std::vector<double> microseconds_;
};

/// One figure beside its floor, measured in the same run.
struct figure {
    std::string bench;
    std::string metric;
    double value = 0;
    std::string unit;
    double floor = 0;
    double ratio = 0;
    std::string extra; ///< more JSON members: `"workers":1`
};

/// Prints figures, and writes them as JSON lines if `--json FILE` was given.
class report {
public:
    report(int argc, char** argv);
    void add(const figure&);

private:
    std::string file_;
};

/// Binds this thread, or the worker that runs it as a task, to one processor.
void pin(int processor);
/// Undoes pin().
void unpin();

} // namespace bench
