// SPDX-License-Identifier: Apache-2.0
#include "cli/options.hpp"

#include <catch2/catch.hpp>

#include "cli/fake_process.hpp"

using namespace kq;

namespace {

// A program with two verbs, as kq-topics has.
struct Sample {
    std::string bootstrap = "localhost:9092";
    bool quiet = false;
    std::optional<std::int32_t> partitions;
    std::vector<std::string> names;
    std::optional<Millis> timeout;

    Command command() {
        Command c{"kq-sample", "does samples", "kq-sample(1)"};
        c.examples = {{"kq-sample create a -p 3", "three partitions"}};
        c.options = {{"-b,--bootstrap", "HOST", "where to start", into(bootstrap)},
                     {"-f,--format", "FORMAT", "how", [](std::string_view) { return done(); }},
                     {"-t,--timeout", "TIME", "how long", into(timeout)},
                     {"-q,--quiet", "", "no talk", into(quiet)}};
        c.verbs = {{"list",
                    "list them",
                    {},
                    {},
                    {},
                    {"kq.sample/1", {{"name", ColumnKind::text, "the name"}}}},
                   {"create",
                    "make one",
                    {{"NAME", "the name", into(names), 1, 2}},
                    {{"-p,--partitions", "N", "how many", into(partitions, 1, 1000)}}}};
        return c;
    }
};

struct Outcome {
    std::string verb;
    int exit;
    std::string out;
    std::string err;
};

Outcome call(Sample& sample, std::vector<std::string> words) {
    FakeProcess process(std::move(words));
    Command command = sample.command();
    Parsed parsed = parse(command, process);
    return {parsed.verb != nullptr ? parsed.verb->name : "", parsed.exit, process.out, process.err};
}

}  // namespace

TEST_CASE("options stand anywhere before --, in every spelling", "[cli]") {
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"create", "a", "-p", "3", "-q", "-b", "h:1"},
             {"-p", "3", "-qb", "h:1", "create", "a"},
             {"-b", "h:1", "create", "-p3", "--quiet", "a"},
             {"create", "--partitions=3", "a", "--bootstrap=h:1", "-q"},
             {"--partitions", "3", "create", "--quiet", "--bootstrap", "h:1", "--", "a"}}) {
        Sample sample;
        auto got = call(sample, words);
        CAPTURE(words, got.err);
        CHECK(got.exit == 0);
        CHECK(got.verb == "create");
        CHECK(sample.partitions == 3);
        CHECK(sample.quiet);
        CHECK(sample.bootstrap == "h:1");
        CHECK(sample.names == std::vector<std::string>{"a"});
    }
}

TEST_CASE("words after -- are operands, and a lone - is one anywhere", "[cli]") {
    Sample sample;
    CHECK(call(sample, {"create", "-", "--", "-p"}).exit == 0);
    CHECK(sample.names == std::vector<std::string>{"-", "-p"});
    CHECK(!sample.partitions);
}

TEST_CASE("a -- that is the value of an option ends nothing", "[cli]") {
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"create", "-b", "--", "a", "--", "-q"}, {"create", "-qb", "--", "a", "--", "-q"}}) {
        Sample sample;
        CHECK(call(sample, words).exit == 0);
        CHECK(sample.bootstrap == "--");
        CHECK(sample.names == std::vector<std::string>{"a", "-q"});
    }
}

TEST_CASE("the last value of an option wins", "[cli]") {
    Sample sample;
    CHECK(call(sample, {"create", "a", "-p", "3", "-p", "4"}).exit == 0);
    CHECK(sample.partitions == 4);
}

TEST_CASE("a value may look like an option or be empty", "[cli]") {
    Sample sample;
    CHECK(call(sample, {"list", "-b", "-5.."}).exit == 0);
    CHECK(sample.bootstrap == "-5..");
    CHECK(call(sample, {"list", "-b", ""}).exit == 0);
    CHECK(sample.bootstrap.empty());
    CHECK(call(sample, {"list", "--bootstrap=[::1]:9092"}).exit == 0);
    CHECK(sample.bootstrap == "[::1]:9092");
}

TEST_CASE("mistakes in the command line exit 2 and name the nearest right word", "[cli]") {
    struct Case {
        std::vector<std::string> words;
        std::string message;
    };
    for (const auto& [words, message] : std::vector<Case>{
             {{"crate", "a b"},
              "kq-sample: unknown verb 'crate'; verbs are list, create\n"
              "  try: kq-sample create 'a b'\n"},
             {{"--bootstarp", "b:1", "list"},
              "kq-sample: unknown option '--bootstarp'\n"
              "  try: kq-sample --bootstrap b:1 list\n"},
             {{"crate", "--bootstarp", "b:1"}, "kq-sample: unknown verb 'crate'"},
             {{"create", "a", "--partitoins=3"},
              "kq-sample: unknown option '--partitoins'\n"
              "  try: kq-sample create a --partitions=3\n"},
             {{"create", "a", "--part", "3"}, "kq-sample: unknown option '--part'\n"},
             {{"create", "a", "-z"}, "kq-sample: unknown option '-z'\n  try: kq-sample --help\n"},
             {{"create", "a", "-p", "x"}, "kq-sample: option '--partitions': 'x' is no number\n"},
             {{"create", "a", "-p", "0"},
              "kq-sample: option '--partitions': '0' is not between 1 and 1000\n"},
             {{"create", "a", "-p", "99999999999"},
              "kq-sample: option '--partitions': '99999999999' is not between 1 and 1000\n"},
             {{"create", "a", "-p"}, "kq-sample: option '-p' needs a value, N\n"},
             {{"create", "a", "--quiet=no"}, "kq-sample: option '--quiet' takes no value\n"},
             {{"list", "-p", "3"}, "kq-sample: option '--partitions' does not go with 'list'\n"},
             {{"list", "-t", "soon"},
              "kq-sample: option '--timeout': 'soon' is no TIME, such as 500ms, 10s or 2h\n"},
             {{"create"},
              "kq-sample: an operand is missing: NAME\n"
              "  try: kq-sample create NAME... [OPTION...]\n"},
             {{"create", "a", "b", "c"}, "kq-sample: unexpected operand 'c'\n"}}) {
        Sample sample;
        auto got = call(sample, words);
        CAPTURE(words);
        CHECK(got.exit == 2);
        CHECK(got.verb.empty());
        CHECK(got.out.empty());
        CHECK(got.err.substr(0, message.size()) == message);
    }
}

TEST_CASE("usage errors are JSON when JSON was asked for", "[cli]") {
    Sample sample;
    auto got = call(sample, {"create", "-f", "json"});
    CHECK(got.exit == 2);
    CHECK(got.err.starts_with("{\"error\":{\"code\":\"KQ_USAGE\",\"number\":-1010,"));
    CHECK(got.err.ends_with("\"exit\":2}}\n"));
}

TEST_CASE("no verb prints a short help on standard error and exits 2", "[cli]") {
    Sample sample;
    auto got = call(sample, {});
    CHECK(got.exit == 2);
    CHECK(got.out.empty());
    CHECK(got.err.starts_with("usage: kq-sample VERB"));
}

TEST_CASE("help begins with examples, also beside mistakes", "[cli]") {
    Sample sample;
    auto whole = call(sample, {"--help"});
    CHECK(whole.exit == 0);
    CHECK(whole.err.empty());
    CHECK(whole.out.find("Examples:") < whole.out.find("Usage:"));
    CHECK(whole.out.find("-b, --bootstrap HOST") != std::string::npos);
    auto verb = call(sample, {"create", "--help"});
    CHECK(verb.exit == 0);
    CHECK(verb.out.find("-p, --partitions N") != std::string::npos);
    CHECK(call(sample, {"create", "-h", "--partitions", "x"}).exit == 0);
}

TEST_CASE("version is one line, schema needs no operands", "[cli]") {
    Sample sample;
    CHECK(call(sample, {"--version"}).out == "kq-sample " KQ_VERSION "\n");
    CHECK(call(sample, {"list", "--schema"}).out == "# kq.sample/1\nname\ttext\tthe name\n");
    CHECK(call(sample, {"list", "--schema", "-f", "json"}).out ==
          "{\"schema\":\"kq.sample/1\",\"columns\":[{\"name\":\"name\",\"kind\":\"text\","
          "\"meaning\":\"the name\"}]}\n");
}

TEST_CASE("a reader that went away ends --help with 141 and no word", "[cli]") {
    Sample sample;
    FakeProcess process({"--help"});
    process.output_error = Error{Errc::connection_closed, "gone"};
    Command command = sample.command();
    CHECK(parse(command, process).exit == exit_reader_gone);
    CHECK(process.err.empty());
}
