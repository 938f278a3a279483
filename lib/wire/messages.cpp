#include "wire/messages.hpp"

#include "protocol.capnp.h"
#include "wire/fixed_layout.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cassert>
#include <cstring>

namespace coproc::wire {

static_assert(protocol_version == protocol::PROTOCOL_VERSION);

const char* describe(message_error error) noexcept {
    switch (error) {
    case message_error::malformed:
        return "an envelope is not a valid Cap'n Proto message";
    case message_error::unknown:
        return "an envelope holds a message that this version of the protocol does not have";
    }
    return "an envelope is malformed in an unknown way";
}

namespace {

using protocol::Command;
using protocol::Report;
using protocol::Stage;

constexpr std::size_t word_bytes = sizeof(capnp::word);

// ---- building ----

/// At most max_text_bytes of a text, and no part of a UTF-8 character at its end.
std::string_view cut(std::string_view text) noexcept {
    if (text.size() <= max_text_bytes) {
        return text;
    }
    const auto continues = [&](std::size_t at) {
        return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
    };
    std::size_t end = max_text_bytes;
    for (int i = 0; i < 3 && continues(end); ++i) {
        --end;
    }
    return text.substr(0, continues(end) ? max_text_bytes : end);
}

/// Cap'n Proto ends a text with a zero byte.
std::size_t text_words(std::string_view text) noexcept { return text.size() / word_bytes + 1; }

std::size_t data_words(std::span<const std::byte> data) noexcept {
    return (data.size() + word_bytes - 1) / word_bytes;
}

/// Words of an envelope: the pointer to the root, the root, and what the root points to.
template <class Root>
constexpr std::size_t envelope_words(std::size_t pointed_to) noexcept {
    return 1 + capnp::sizeInWords<Root>() + pointed_to;
}

bool is_special(const task_header& task) noexcept {
    // One comparison: every task comes here.
    return (task.name.size() | task.exported.size() | std::size_t{task.initializer}) != 0;
}

std::size_t words_of(const task_header& task) noexcept {
    return envelope_words<Command>((task.name.empty() ? 0 : text_words(cut(task.name))) +
                                   (task.exported.empty() ? 0 : text_words(task.exported)));
}

std::size_t words_of(const module_header& module) noexcept {
    return envelope_words<Command>(text_words(module.path) + data_words(module.build_id));
}

std::size_t words_of(const request_exit&) noexcept { return envelope_words<Command>(0); }
std::size_t words_of(const extent_header&) noexcept { return envelope_words<Command>(0); }
std::size_t words_of(const forget_extent&) noexcept { return envelope_words<Command>(0); }

std::size_t words_of(const clean_up&) noexcept { return envelope_words<Command>(0); }

std::size_t words_of(const fork_descriptor&) noexcept { return envelope_words<Command>(0); }

std::size_t words_of(const fork_order&) noexcept { return envelope_words<Command>(0); }

std::size_t words_of(const reply_header& reply) noexcept {
    return envelope_words<Report>(reply.text.empty() ? 0 : text_words(cut(reply.text)));
}

std::size_t words_of(const hello& greeting) noexcept {
    return envelope_words<Report>(capnp::sizeInWords<protocol::Hello>() +
                                  data_words(greeting.build_id));
}

std::size_t words_of(const log_text& log) noexcept {
    return envelope_words<Report>(text_words(cut(log.text)));
}

std::size_t words_of(const progress_header&) noexcept { return envelope_words<Report>(0); }

std::size_t words_of(const retire_request&) noexcept { return envelope_words<Report>(0); }

std::size_t words_of(const cleaned&) noexcept { return envelope_words<Report>(0); }

std::size_t words_of(const forked& answer) noexcept {
    return envelope_words<Report>(answer.text.empty() ? 0 : text_words(cut(answer.text)));
}

template <class Message>
std::size_t head_bytes_of(const Message& message) noexcept {
    const std::size_t envelope_bytes = words_of(message) * word_bytes;
    if (envelope_bytes > max_envelope_bytes) {
        return 0;
    }
    return header_bytes + static_cast<std::size_t>(padded(envelope_bytes));
}

capnp::Data::Reader to_data(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const capnp::byte*>(bytes.data()), bytes.size()};
}

/// A text given as pointer and length: views need not end with a zero byte.
void copy_text(std::string_view text, capnp::Text::Builder into) noexcept {
    std::copy(text.begin(), text.end(), into.begin());
}

void fill(const task_header& from, Command::Builder command) {
    Command::Task::Builder task = command.initTask();
    task.setId(from.id);
    task.setModule(from.module);
    task.setFunctionModule(from.function_module);
    task.setInvoker(from.invoker);
    task.setFunction(from.function);
    task.setDeadline(from.deadline_ns);
    task.setRunLimit(from.run_limit_ns);
    task.setInitializer(from.initializer);
    if (!from.name.empty()) {
        const std::string_view name = cut(from.name);
        copy_text(name, task.initName(static_cast<unsigned>(name.size())));
    }
    if (!from.exported.empty()) {
        assert(from.exported.size() <= max_exported_bytes);
        copy_text(from.exported, task.initExported(static_cast<unsigned>(from.exported.size())));
    }
}

void fill(const module_header& from, Command::Builder command) {
    Command::Module::Builder module = command.initModule();
    module.setNumber(from.number);
    copy_text(from.path, module.initPath(static_cast<unsigned>(from.path.size())));
    module.setBuildId(to_data(from.build_id));
}

void fill(const request_exit&, Command::Builder command) { command.setRequestExit(); }

void fill(const clean_up& from, Command::Builder command) { command.setCleanUp(from.limit); }

Stage to_stage(reply_outcome outcome) noexcept {
    switch (outcome) {
    case reply_outcome::unknown_function:
        return Stage::UNKNOWN_FUNCTION;
    case reply_outcome::decode_failed:
        return Stage::DECODE;
    case reply_outcome::threw:
        return Stage::THREW;
    case reply_outcome::encode_failed:
        return Stage::ENCODE;
    case reply_outcome::value:
    case reply_outcome::part:
    case reply_outcome::too_large:
        break;
    }
    return Stage::TOO_LARGE;
}

void fill(const extent_header& from, Command::Builder command) {
    Command::Extent::Builder extent = command.initExtent();
    extent.setNumber(from.number);
    extent.setBytes(from.bytes);
    extent.setInode(from.inode);
}

void fill(const forget_extent& from, Command::Builder command) {
    command.setForgetExtent(from.number);
}

void fill(const fork_descriptor&, Command::Builder command) { command.setForkDescriptor(); }

void fill(const fork_order& from, Command::Builder command) {
    Command::Fork::Builder order = command.initFork();
    order.setNonce(from.nonce);
    order.setNumber(from.number);
    order.setSlot(from.slot);
}

void fill(const reply_header& from, Report::Builder report) {
    report.setSequence(from.sequence);
    if (from.outcome == reply_outcome::value) {
        report.setValue();
        return;
    }
    if (from.outcome == reply_outcome::part) {
        report.setPart();
        return;
    }
    Report::Failed::Builder failed = report.initFailed();
    failed.setStage(to_stage(from.outcome));
    if (!from.text.empty()) {
        const std::string_view text = cut(from.text);
        copy_text(text, failed.initText(static_cast<unsigned>(text.size())));
    }
}

void fill(const hello& from, Report::Builder report) {
    protocol::Hello::Builder greeting = report.initHello();
    greeting.setProtocolVersion(from.version);
    greeting.setPid(from.pid);
    greeting.setNonce(from.nonce);
    greeting.setBuildId(to_data(from.build_id));
}

void fill(const log_text& from, Report::Builder report) {
    const std::string_view text = cut(from.text);
    copy_text(text, report.initLog(static_cast<unsigned>(text.size())));
}

void fill(const progress_header& from, Report::Builder report) {
    report.setSequence(from.sequence);
    Report::Progress::Builder progress = report.initProgress();
    progress.setSink(from.sink);
    progress.setSkipped(from.skipped);
}

void fill(const retire_request&, Report::Builder report) { report.setRetire(); }

void fill(const cleaned& from, Report::Builder report) { report.setCleaned(from.kibibytes); }

void fill(const forked& from, Report::Builder report) {
    report.setSequence(from.number);
    Report::Forked::Builder answer = report.initForked();
    answer.setPid(from.pid);
    if (!from.text.empty()) {
        const std::string_view text = cut(from.text);
        copy_text(text, answer.initText(static_cast<unsigned>(text.size())));
    }
}

/// Builds the envelope in its place. A FlatMessageBuilder takes exactly the words that it is given,
/// which words_of knows, and so needs neither memory of its own nor a copy.
template <class Root, class Message>
std::size_t encode_as(const Message& message, std::uint64_t payload_bytes,
                      std::span<std::byte> out) {
    const std::size_t words = words_of(message);
    const std::size_t size = header_bytes + static_cast<std::size_t>(padded(words * word_bytes));
    if (words * word_bytes > max_envelope_bytes || size > out.size()) {
        return 0;
    }
    assert(reinterpret_cast<std::uintptr_t>(out.data()) % word_bytes == 0);

    const frame_header header{.envelope_bytes = static_cast<std::uint32_t>(words * word_bytes),
                              .zero = 0,
                              .payload_bytes = payload_bytes};
    std::memcpy(out.data(), &header, header_bytes);
    std::memset(out.data() + header_bytes, 0, size - header_bytes);
    capnp::FlatMessageBuilder builder(
        kj::arrayPtr(reinterpret_cast<capnp::word*>(out.data() + header_bytes), words));
    fill(message, builder.initRoot<Root>());
    return size;
}

// ---- parsing ----

std::string_view view(capnp::Text::Reader text) noexcept { return {text.begin(), text.size()}; }

std::span<const std::byte> view(capnp::Data::Reader data) noexcept {
    return {reinterpret_cast<const std::byte*>(data.begin()), data.size()};
}

task_header read(Command::Task::Reader task) {
    return {.id = task.getId(),
            .module = task.getModule(),
            .function_module = task.getFunctionModule(),
            .invoker = task.getInvoker(),
            .function = task.getFunction(),
            .deadline_ns = task.getDeadline(),
            .run_limit_ns = task.getRunLimit(),
            .name = task.hasName() ? view(task.getName()) : std::string_view(),
            .exported = task.hasExported() ? view(task.getExported()) : std::string_view(),
            .initializer = task.getInitializer()};
}

command read(Command::Reader from) {
    switch (from.which()) {
    case Command::TASK:
        return read(from.getTask());
    case Command::MODULE: {
        const Command::Module::Reader module = from.getModule();
        return module_header{.number = module.getNumber(),
                             .path = view(module.getPath()),
                             .build_id = view(module.getBuildId())};
    }
    case Command::REQUEST_EXIT:
        return request_exit{};
    case Command::CLEAN_UP:
        return clean_up{.limit = from.getCleanUp()};
    case Command::EXTENT: {
        const Command::Extent::Reader extent = from.getExtent();
        return extent_header{
            .number = extent.getNumber(), .bytes = extent.getBytes(), .inode = extent.getInode()};
    }
    case Command::FORGET_EXTENT:
        return forget_extent{from.getForgetExtent()};
    case Command::FORK_DESCRIPTOR:
        return fork_descriptor{};
    case Command::FORK: {
        const Command::Fork::Reader order = from.getFork();
        return fork_order{
            .nonce = order.getNonce(), .number = order.getNumber(), .slot = order.getSlot()};
    }
    }
    return message_error::unknown;
}

report read_failed(std::uint64_t sequence, Report::Failed::Reader failed) {
    reply_header reply{.sequence = sequence,
                       .text = failed.hasText() ? view(failed.getText()) : std::string_view()};
    switch (failed.getStage()) {
    case Stage::UNKNOWN_FUNCTION:
        reply.outcome = reply_outcome::unknown_function;
        return reply;
    case Stage::DECODE:
        reply.outcome = reply_outcome::decode_failed;
        return reply;
    case Stage::THREW:
        reply.outcome = reply_outcome::threw;
        return reply;
    case Stage::ENCODE:
        reply.outcome = reply_outcome::encode_failed;
        return reply;
    case Stage::TOO_LARGE:
        reply.outcome = reply_outcome::too_large;
        return reply;
    }
    return message_error::unknown;
}

report read(Report::Reader from) {
    switch (from.which()) {
    case Report::VALUE:
        return reply_header{.sequence = from.getSequence()};
    case Report::PART:
        return reply_header{.sequence = from.getSequence(), .outcome = reply_outcome::part};
    case Report::FAILED:
        return read_failed(from.getSequence(), from.getFailed());
    case Report::HELLO: {
        const protocol::Hello::Reader greeting = from.getHello();
        return hello{.version = greeting.getProtocolVersion(),
                     .pid = greeting.getPid(),
                     .nonce = greeting.getNonce(),
                     .build_id = view(greeting.getBuildId())};
    }
    case Report::LOG:
        return log_text{view(from.getLog())};
    case Report::PROGRESS: {
        const Report::Progress::Reader progress = from.getProgress();
        return progress_header{.sequence = from.getSequence(),
                               .sink = progress.getSink(),
                               .skipped = progress.getSkipped()};
    }
    case Report::RETIRE:
        return retire_request();
    case Report::CLEANED:
        return cleaned{.kibibytes = from.getCleaned()};
    case Report::FORKED: {
        const Report::Forked::Reader answer = from.getForked();
        return forked{.number = static_cast<std::uint32_t>(from.getSequence()),
                      .pid = answer.getPid(),
                      .text = answer.hasText() ? view(answer.getText()) : std::string_view()};
    }
    }
    return message_error::unknown;
}

/// Reads the root of one segment. Cap'n Proto checks each pointer when it is followed, and reports
/// with a kj::Exception, which ends here. The root, one struct and one text: nothing of ours is
/// nested deeper.
template <class Root, class Message>
Message parse(std::span<const std::byte> envelope) {
    assert(reinterpret_cast<std::uintptr_t>(envelope.data()) % word_bytes == 0);
    const kj::ArrayPtr<const capnp::word> segment(
        reinterpret_cast<const capnp::word*>(envelope.data()), envelope.size() / word_bytes);
    capnp::ReaderOptions options;
    // We follow each pointer once; Cap'n Proto counts the one to the root twice.
    options.traversalLimitInWords = 2 * segment.size();
    options.nestingLimit = 3;
    try {
        capnp::SegmentArrayMessageReader reader(kj::arrayPtr(&segment, 1), options);
        return read(reader.getRoot<Root>());
    } catch (const kj::Exception&) {
        return message_error::malformed;
    }
}

// ---- the two messages of every task ----

/// Writes the envelope alone.
template <class Root, class Message>
std::size_t envelope_of(const Message& message, std::span<std::byte> out) {
    alignas(frame_alignment) std::byte head[header_bytes + 256];
    const std::size_t size = words_of(message) * word_bytes;
    assert(size <= out.size());
    encode_as<Root>(message, 0, head);
    std::memcpy(out.data(), head + header_bytes, size);
    return size;
}

using task_layout =
    fixed_layout<task_header, &task_header::id, &task_header::module, &task_header::function_module,
                 &task_header::invoker, &task_header::function, &task_header::deadline_ns,
                 &task_header::run_limit_ns>;
using reply_layout = fixed_layout<reply_header, &reply_header::sequence>;
using progress_layout = fixed_layout<progress_header, &progress_header::sequence,
                                     &progress_header::sink, &progress_header::skipped>;

/// A task without texts, which is no initializer.
const task_layout& plain_task() {
    static const task_layout layout(task_header{.deadline_ns = 0, .run_limit_ns = 0},
                                    [](const task_header& task, std::span<std::byte> out) {
                                        return envelope_of<Command>(task, out);
                                    });
    return layout;
}

/// A reply with a value.
const reply_layout& plain_reply() {
    static const reply_layout layout(reply_header{},
                                     [](const reply_header& reply, std::span<std::byte> out) {
                                         return envelope_of<Report>(reply, out);
                                     });
    return layout;
}

const progress_layout& plain_progress() {
    static const progress_layout layout(
        progress_header{}, [](const progress_header& progress, std::span<std::byte> out) {
            return envelope_of<Report>(progress, out);
        });
    return layout;
}

template <class Layout, class Message>
std::size_t encode_plain(const Layout& layout, const Message& message, std::uint64_t payload_bytes,
                         std::span<std::byte> out) {
    const std::size_t size = header_bytes + static_cast<std::size_t>(padded(layout.size()));
    if (size > out.size()) {
        return 0;
    }
    const frame_header header{.envelope_bytes = static_cast<std::uint32_t>(layout.size()),
                              .zero = 0,
                              .payload_bytes = payload_bytes};
    std::memcpy(out.data(), &header, header_bytes);
    layout.write(message, out.data() + header_bytes);
    std::memset(out.data() + header_bytes + layout.size(), 0, size - header_bytes - layout.size());
    return size;
}

} // namespace

command parse_command(std::span<const std::byte> envelope) {
    if (task_header task; plain_task().read(envelope, task)) {
        return task;
    }
    return parse<Command, command>(envelope);
}

report parse_report(std::span<const std::byte> envelope) {
    if (reply_header reply; plain_reply().read(envelope, reply)) {
        return reply;
    }
    if (progress_header progress; plain_progress().read(envelope, progress)) {
        return progress;
    }
    return parse<Report, report>(envelope);
}

std::size_t head_bytes(const task_header& task) noexcept {
    constexpr std::size_t plain =
        header_bytes + static_cast<std::size_t>(padded(envelope_words<Command>(0) * word_bytes));
    return is_special(task) ? head_bytes_of(task) : plain;
}
std::size_t head_bytes(const module_header& module) noexcept { return head_bytes_of(module); }
std::size_t head_bytes(const request_exit& request) noexcept { return head_bytes_of(request); }
std::size_t head_bytes(const clean_up& request) noexcept { return head_bytes_of(request); }
std::size_t head_bytes(const extent_header& extent) noexcept { return head_bytes_of(extent); }
std::size_t head_bytes(const forget_extent& forget) noexcept { return head_bytes_of(forget); }
std::size_t head_bytes(const fork_descriptor& descriptor) noexcept {
    return head_bytes_of(descriptor);
}
std::size_t head_bytes(const fork_order& order) noexcept { return head_bytes_of(order); }
std::size_t head_bytes(const reply_header& reply) noexcept { return head_bytes_of(reply); }
std::size_t head_bytes(const hello& greeting) noexcept { return head_bytes_of(greeting); }
std::size_t head_bytes(const log_text& log) noexcept { return head_bytes_of(log); }
std::size_t head_bytes(const progress_header& progress) noexcept { return head_bytes_of(progress); }
std::size_t head_bytes(const retire_request& request) noexcept { return head_bytes_of(request); }
std::size_t head_bytes(const cleaned& answer) noexcept { return head_bytes_of(answer); }
std::size_t head_bytes(const forked& answer) noexcept { return head_bytes_of(answer); }

std::size_t encode(const task_header& task, std::uint64_t payload_bytes, std::span<std::byte> out) {
    return is_special(task) ? encode_as<Command>(task, payload_bytes, out)
                            : encode_plain(plain_task(), task, payload_bytes, out);
}
std::size_t encode(const module_header& module, std::uint64_t payload_bytes,
                   std::span<std::byte> out) {
    return encode_as<Command>(module, payload_bytes, out);
}
std::size_t encode(const request_exit& request, std::uint64_t payload_bytes,
                   std::span<std::byte> out) {
    return encode_as<Command>(request, payload_bytes, out);
}
std::size_t encode(const clean_up& request, std::uint64_t payload_bytes, std::span<std::byte> out) {
    return encode_as<Command>(request, payload_bytes, out);
}
std::size_t encode(const extent_header& extent, std::uint64_t payload_bytes,
                   std::span<std::byte> out) {
    return encode_as<Command>(extent, payload_bytes, out);
}
std::size_t encode(const forget_extent& forget, std::uint64_t payload_bytes,
                   std::span<std::byte> out) {
    return encode_as<Command>(forget, payload_bytes, out);
}
std::size_t encode(const fork_descriptor& descriptor, std::uint64_t payload_bytes,
                   std::span<std::byte> out) {
    return encode_as<Command>(descriptor, payload_bytes, out);
}
std::size_t encode(const fork_order& order, std::uint64_t payload_bytes, std::span<std::byte> out) {
    return encode_as<Command>(order, payload_bytes, out);
}
std::size_t encode(const reply_header& reply, std::uint64_t payload_bytes,
                   std::span<std::byte> out) {
    return reply.outcome == reply_outcome::value && reply.text.empty()
               ? encode_plain(plain_reply(), reply, payload_bytes, out)
               : encode_as<Report>(reply, payload_bytes, out);
}
std::size_t encode(const hello& greeting, std::uint64_t payload_bytes, std::span<std::byte> out) {
    return encode_as<Report>(greeting, payload_bytes, out);
}
std::size_t encode(const log_text& log, std::uint64_t payload_bytes, std::span<std::byte> out) {
    return encode_as<Report>(log, payload_bytes, out);
}

std::size_t encode(const progress_header& progress, std::uint64_t payload_bytes,
                   std::span<std::byte> out) {
    return encode_plain(plain_progress(), progress, payload_bytes, out);
}

std::size_t encode(const retire_request& request, std::uint64_t payload_bytes,
                   std::span<std::byte> out) {
    return encode_as<Report>(request, payload_bytes, out);
}

std::size_t encode(const cleaned& answer, std::uint64_t payload_bytes, std::span<std::byte> out) {
    return encode_as<Report>(answer, payload_bytes, out);
}

std::size_t encode(const forked& answer, std::uint64_t payload_bytes, std::span<std::byte> out) {
    return encode_as<Report>(answer, payload_bytes, out);
}

} // namespace coproc::wire
