// A progress bar for a task in a worker process, and the pictures that it has ready meanwhile.
#include <asio.hpp>
#include <coproc/coproc.hpp>
#include <coproc/progress.hpp>

#include <iostream>
#include <string>

struct line { // a partial result
    int number = 0;
    std::string pixels = {};
};

/// Draws the Mandelbrot set. Runs in a worker: lines and the part that is done go to the caller.
int draw(int width, int height, const coproc::progress_sink<line>& lines,
         const coproc::progress_sink<double>& done) {
    int inside = 0;
    for (int y = 0; y < height; ++y) {
        line next{y};
        for (int x = 0; x < width; ++x) {
            const double cx = 3.0 * x / width - 2.25, cy = 2.4 * y / height - 1.2;
            double zx = 0, zy = 0;
            int n = 0;
            for (; n < 2000 && zx * zx + zy * zy < 4; ++n) {
                const double t = zx * zx - zy * zy + cx;
                zy = 2 * zx * zy + cy;
                zx = t;
            }
            inside += n == 2000;
            next.pixels += n == 2000 ? '#' : n > 8 ? '+' : ' ';
        }
        lines(next);
        done((y + 1.0) / height);
    }
    return inside;
}

/// The bar: only the newest value counts, however slow the terminal is.
asio::awaitable<void> show(coproc::progress<double> done) {
    while (auto next = co_await done.async_next()) { // std::nullopt: the task is done
        const auto full = static_cast<std::size_t>(40 * next->value());
        std::cout << "\r[" << std::string(full, '=') << std::string(40 - full, ' ') << "] "
                  << static_cast<int>(100 * next->value()) << " %" << std::flush;
    }
    std::cout << '\n';
}

asio::awaitable<void> run(bool& complete) {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor workers(loop, {.max_workers = 1});
    coproc::progress<double> done(workers, {.capacity = 1});
    // Each line is wanted: the task waits if it is more than eight lines ahead.
    coproc::progress<line> lines(workers, {.capacity = 8, .when_full = coproc::full_policy::wait});
    auto picture = workers.submit(draw, 76, 24, lines.sink(), done.sink());
    asio::co_spawn(loop, show(std::move(done)), asio::detached);
    std::string all;
    int count = 0;
    bool in_order = true;
    while (auto next = co_await lines.async_next()) {
        in_order = in_order && next->value().number == count++; // none is missing
        all += next->value().pixels + '\n';
    }
    const coproc::result<int> inside = co_await std::move(picture);
    std::cout << '\n' << all << inside.value() << " points are inside\n";
    complete = in_order && count == 24 && inside.value() > 100;
}

int main(int argc, char** argv) {
    coproc::init(argc, argv);
    asio::io_context loop;
    bool complete = false;
    asio::co_spawn(loop, run(complete), asio::detached);
    loop.run();
    return complete ? 0 : 1;
}
