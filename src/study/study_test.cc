#include "study/study.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "study/fixture.h"

namespace wattle::study {
namespace {

Study read(const std::string& text, const std::filesystem::path& file = "/nowhere/study.toml") {
  FixedSchema schema;
  auto result = parse_study(text, file, schema);
  EXPECT_TRUE(result.study) << describe(result.diagnostics, file);
  EXPECT_EQ(result.study.has_value(), result.diagnostics.empty());
  return result.study.value_or(Study{});
}

const char* const kScript = R"([study]
name = "s"
[workload.script]
command = ["/bin/sh", "train.sh", "--lr", "{learning_rate}", "--seed={seed}", "{--nesterov:nesterov}"]
files = ["model.py"]
metric = { name = "accuracy", goal = "maximize", tolerance = 0.01, regex = 'acc (?<value>[\d.]+)' }
[workload.script.parameters]
learning_rate = { default = 1, type = "float", domain = [1e-6, 10.0], meaning = "step" }
nesterov = { default = false }
)";

class ScriptFolder : public Folder {
 public:
  explicit ScriptFolder(const std::string& name) : Folder(name) {
    put("train.sh", "echo acc 0.5");
    put("model.py", "layers = 3");
  }
};

TEST(Study, a_builtin_workload_has_all_hyperparameters_with_its_own_defaults) {
  const Study study = read(builtin_study(R"(
[[mutate]]
parameter = "momentum"
operator = "values"
values = [0.9]
[protocol]
time_limit = "30min"
sample_interval = "50ms"
cool_down = "2s"
[environment]
device = "cuda:0"
threads = 2
variables = { OMP_WAIT_POLICY = "passive" }
)"));
  EXPECT_EQ(study.name, "lenet-on-glyphs");
  EXPECT_EQ(study.seed, 42U);
  EXPECT_EQ(study.repetitions.max, 3);
  EXPECT_EQ(study.directory, "/nowhere");
  EXPECT_EQ(study.protocol.time_limit, seconds(1800));
  EXPECT_EQ(study.protocol.sample_interval, milliseconds(50));
  EXPECT_EQ(study.protocol.cool_down, seconds(2));
  EXPECT_EQ(study.environments.front().threads, 2);
  EXPECT_EQ(study.environments.front().variables.at("OMP_WAIT_POLICY"), "passive");
  ASSERT_EQ(study.workloads.size(), 1U);
  const Workload& lenet = study.workloads[0];
  EXPECT_EQ(lenet.parameters.size(), 6U);
  EXPECT_EQ(lenet.parameters[0].default_value, Value(std::int64_t{6}));
  EXPECT_EQ(lenet.parameters[3].default_value, Value(0.0));
  EXPECT_EQ(lenet.version, "wattle-train 0.1.0 lenet5 glyphs");
  EXPECT_EQ(lenet.trainer_defaults.count("momentum"), 0U) << "the study mutates it";
  EXPECT_EQ(lenet.trainer_defaults.count("epochs"), 0U) << "the study sets it";
  EXPECT_EQ(lenet.trainer_defaults.count("optimizer"), 1U);
  EXPECT_EQ(study.mutations[0].workloads, std::vector<std::string>{"lenet"});
  EXPECT_EQ(study.mutations[0].mutants, 1);
}

TEST(Study, workloads_keep_the_order_of_the_file) {
  const Study study = read(R"([study]
name = "two"
[workload.zebra]
trainer = "builtin"
model = "lenet5"
dataset = "glyphs"
metric = { name = "accuracy", goal = "maximize", tolerance = 0.01 }
[workload.ant]
trainer = "builtin"
model = "resnet20"
dataset = "glyphs"
metric = { name = "loss", goal = "minimize", tolerance = 0.1 }
)");
  ASSERT_EQ(study.workloads.size(), 2U);
  EXPECT_EQ(study.workloads[0].name, "zebra");
  EXPECT_EQ(study.workloads[1].metric.goal, Goal::minimize);
}

TEST(Study, the_schema_is_asked_once_and_only_where_it_is_needed) {
  FixedSchema schema;
  const ScriptFolder folder("schema_asked");
  EXPECT_TRUE(parse_study(kScript, folder.study(), schema).study);
  EXPECT_EQ(schema.asked, 0);
  const auto both = builtin_study() + std::string(kScript).substr(std::string(kScript).find("[workload"));
  EXPECT_TRUE(parse_study(both, folder.study(), schema).study);
  EXPECT_EQ(schema.asked, 1);
}

TEST(Study, a_missing_trainer_is_one_mistake_however_much_depends_on_it) {
  FixedSchema schema(Error{ErrorKind::environment, "wattle-train is not installed", "build it"});
  const auto text = builtin_study("[[mutate]]\nparameter = \"epochs\"\noperator = \"scale\"\nrange = [0.5, 2]\n");
  EXPECT_EQ(describe(parse_study(text, "study.toml", schema).diagnostics, "study.toml"),
            "study.toml:6:11: wattle-train is not installed; build it\n");
}

TEST(Study, a_script_is_read_with_its_parameters_and_metric) {
  const ScriptFolder folder("script");
  const Study study = read(kScript, folder.study());
  const Workload& script = study.workloads[0];
  EXPECT_FALSE(script.builtin);
  EXPECT_TRUE(script.use_terminal);
  EXPECT_EQ(script.command.size(), 6U);
  EXPECT_EQ(script.files, (std::vector<std::string>{"train.sh", "model.py"}));
  EXPECT_EQ(script.metric.source, MetricSource::output);
  ASSERT_EQ(script.parameters.size(), 2U);
  EXPECT_EQ(script.parameters[0].default_value, Value(1.0)) << "type float makes 1 a real";
  EXPECT_EQ(script.parameters[0].maximum, 10.0);
  EXPECT_EQ(script.parameters[1].type, ParameterType::boolean);
  EXPECT_EQ(script.version.size(), 64U);
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const auto at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(Version, follows_content_and_command_but_not_places) {
  const ScriptFolder folder("version");
  const auto version = [&](const std::string& text, const Folder& where) {
    return read(text, where.study()).workloads[0].version;
  };
  const std::string first = version(kScript, folder);
  const ScriptFolder elsewhere("version_elsewhere");
  EXPECT_EQ(version(kScript, elsewhere), first);
  EXPECT_EQ(version(replaced(kScript, "/bin/sh", "sh"), folder), first) << "the interpreter's place is the machine's";
  const std::string absolute = replaced(kScript, "train.sh", (folder.path() / "train.sh").string());
  EXPECT_EQ(version(absolute, folder), first);
  EXPECT_NE(version(replaced(kScript, "--lr", "--rate"), folder), first);
  elsewhere.put("model.py", "layers = 4");
  EXPECT_NE(version(kScript, elsewhere), first);
  elsewhere.put("model.py", "layers = 3");
  elsewhere.put("train.sh", "echo acc 0.6");
  EXPECT_NE(version(kScript, elsewhere), first);
  EXPECT_EQ(version(replaced(kScript, "files =", "version = \"3\"\nfiles ="), elsewhere), "3");
}

TEST(Version, of_data_follows_names_sizes_and_times) {
  const Folder folder("data");
  folder.put("mnist/train/a", "123");
  const std::string text = replaced(builtin_study(), "dataset = \"glyphs\"", "dataset = \"idx\"\ndata = \"mnist\"");
  const auto workload = [&] { return read(text, folder.study()).workloads[0]; };
  const std::string first = workload().version;
  EXPECT_EQ(workload().data, (folder.path() / "mnist").string()) << "a relative path starts at the study file";
  EXPECT_EQ(workload().version, first);
  folder.put("mnist/train/b", "");
  EXPECT_NE(workload().version, first);
}

TEST(Study, metric_files_are_csv_or_json_lines) {
  const ScriptFolder folder("metric_files");
  const auto metric = [&](const std::string& source) {
    return read(replaced(kScript, "regex = 'acc (?<value>[\\d.]+)'", source), folder.study()).workloads[0].metric;
  };
  const Metric csv = metric(R"(file = "{run_dir}/log.csv", column = "val_acc", epoch = "epoch")");
  EXPECT_EQ(csv.source, MetricSource::csv_file);
  EXPECT_EQ(csv.value_column, "val_acc");
  EXPECT_EQ(csv.epoch_column, "epoch");
  const Metric lines = metric(R"(file = "log.jsonl")");
  EXPECT_EQ(lines.source, MetricSource::json_lines);
  EXPECT_EQ(lines.value_column, "accuracy") << "by default the metric's own name";
}

TEST(Study, templates_are_read_and_count_as_use) {
  const ScriptFolder folder("templates");
  folder.put("config.in", "lr: {learning_rate}\nname: {{name}}\n");
  const std::string text =
      replaced(replaced(kScript, "\"--lr\", \"{learning_rate}\"", "\"{run_dir}/config.yaml\""),
               "files =", "render = [{ template = \"config.in\", target = \"config.yaml\" }]\nfiles =");
  const Study study = read(text, folder.study());
  ASSERT_EQ(study.workloads[0].rendered.size(), 1U);
  EXPECT_EQ(study.workloads[0].rendered[0].content, "lr: {learning_rate}\nname: {{name}}\n");
}

// --- Mistakes ----------------------------------------------------------------------------------------------------

TEST(Mistakes, all_of_a_file_are_told_at_once_in_order_with_place_and_remedy) {
  const ScriptFolder folder("golden");
  const std::string text = R"([study]
name = "golden"
repetitions = 0
budgt = { hours = 1 }

[workload.lenet]
trainer = "builtin"
model = "lenet"
dataset = "glyphs"
metric = { name = "accuracy", goal = "maximise", tolerance = 0 }
[workload.lenet.defaults]
epochs = 1
learnig_rate = 0.05
optimizer = "adma"

[workload.script]
command = ["/bin/sh", "trian.sh", "--lr", "{learnig_rate}"]
metric = { name = "loss", goal = "minimize", tolerance = 0.1, regex = 'loss (.*)' }
[workload.script.parameters]
learning_rate = { default = 20.0, domain = [0.0, 10.0] }
momentum = { default = 0.9 }

[[mutate]]
parameter = "epochs"
operator = "scale"
range = [0.75, 1.25]
mutants = 2

[protcol]
time_limit = 30
)";
  EXPECT_EQ(mistakes_in(text, folder.study()),
            "study.toml:3:15: `repetitions` is 0, but must be from 1 to 10000\n"
            "study.toml:4:1: unknown key `budgt` in [study]; did you mean `budget`?\n"
            "study.toml:8:9: `model` cannot be `lenet`; did you mean `lenet5`?\n"
            "study.toml:10:38: `goal` cannot be `maximise`; did you mean `maximize`?\n"
            "study.toml:10:62: `tolerance` is 0, but must be a finite number above 0\n"
            "study.toml:13:1: unknown key `learnig_rate` in [workload.lenet.defaults]; did you mean `learning_rate`?\n"
            "study.toml:14:13: `optimizer`: `adma` is not one of sgd, adam; did you mean `adam`?\n"
            "study.toml:17:23: trian.sh does not exist (looked in wattle_study_golden/)\n"
            "study.toml:17:43: unknown placeholder {learnig_rate}; did you mean {learning_rate}?\n"
            "study.toml:18:71: the regular expression has no group (?<value>…); name the part that is the number: "
            "'val_acc (?<value>[\\d.]+)'\n"
            "study.toml:20:29: `learning_rate`: 20.0 is above the largest, 10\n"
            "study.toml:21:1: parameter `momentum` is used neither in `command` nor in a rendered file: changing it "
            "would change nothing; add \"{momentum}\" to `command`\n"
            "study.toml:26:9: range [0.75, 1.25] of `epochs` (default 1) holds no other whole number (workload "
            "`lenet`); widen it or use `step`\n"
            "study.toml:29:2: unknown table `protcol` in the study file; did you mean `protocol`?\n");
}

struct Case {
  const char* what;
  const char* by;
  const char* says;
};

TEST(Mistakes, in_a_builtin_study) {
  for (const Case& c : std::initializer_list<Case>{
           {"name = \"lenet-on-glyphs\"\n", "", "1:1: [study] lacks `name`"},
           {"\"lenet-on-glyphs\"", "\"  \"", "2:8: `name` is empty"},
           {"\"lenet-on-glyphs\"", "\"a\\nb\"", "2:8: `name` must be one line"},
           {"\"lenet-on-glyphs\"", "7", "2:8: `name` must be text in quotes, not a whole number"},
           {"seed = 42", "seed = -1", "3:8: `seed` is -1, but must be from 0"},
           {"seed = 42", "seed = 1.5", "3:8: `seed` must be a whole number, not a number with a point"},
           {"repetitions = 3", "repetitions = 2024-01-01",
            "4:15: `repetitions` must be a whole number, not a date or time"},
           {"repetitions = 3", "budget = {}", "4:10: `budget` is empty"},
           {"repetitions = 3", "budget = { hours = nan }", "4:20: `hours` is nan, but must be a finite number above 0"},
           {"repetitions = 3", "budget = { kwh = -1 }", "4:18: `kwh` is -1"},
           {"repetitions = 3", "budget = 3",
            "4:10: `budget` must be a table, not a whole number; write budget = { hours = 1 }"},
           {"trainer = \"builtin\"\n", "", "5:1: [workload.lenet] has neither `trainer` nor `command`"},
           {"\"builtin\"", "\"bultin\"", "6:11: `trainer` cannot be `bultin`; did you mean `builtin`?"},
           {"model = \"lenet5\"\n", "", "5:1: [workload.lenet] lacks `model`"},
           {"\"glyphs\"", "\"glyph\"", "8:11: `dataset` cannot be `glyph`; did you mean `glyphs`?"},
           {"\"glyphs\"", "\"idx\"", "8:11: dataset `idx` is read from files; add data = \"path\""},
           {"\"glyphs\"", "\"glyphs\"\ndata = \"x\"", "9:8: dataset `glyphs` takes no `data`; leave it out"},
           {"\"glyphs\"", "\"idx\"\ndata = \"x\"", "9:8: /nowhere/x does not exist"},
           {"metric =", "metrc =", "5:1: [workload.lenet] lacks `metric`; for example metric = {"},
           {"metric =", "metrc =", "9:1: unknown key `metrc` in [workload.lenet]; did you mean `metric`?"},
           {"name = \"accuracy\", ", "", "9:10: metric lacks `name`"},
           {"goal = \"maximize\", ", "", "9:10: metric lacks `goal`; \"maximize\" or \"minimize\""},
           {", tolerance = 0.01", "", "9:10: metric lacks `tolerance`"},
           {"0.01", "inf", "9:62: `tolerance` is inf, but must be a finite number above 0"},
           {"0.01", "\"1%\"", "9:62: `tolerance` must be a number, not text"},
           {"0.01", "0.01, regex = 'x'", "`regex` belongs to scripts"},
           {"epochs = 6", "epochs = 6.0", "11:10: `epochs`: 6.0 must be written as a whole number, without a point"},
           {"epochs = 6", "epochs = \"6\"", "11:10: `epochs`: `6` is not a whole number"},
           {"epochs = 6", "epochs = [6]", "11:10: `epochs` cannot be a list"},
           {"epochs = 6", "epochs = 0", "11:10: `epochs`: 0 is below the smallest, 1"},
           {"learning_rate = 0.05", "learning_rate = nan", "13:17: `learning_rate`: nan is not a finite number"},
           {"learning_rate = 0.05", "learning_rate = 0", "13:17: `learning_rate`: 0.0 is not above 0"},
           {"trainer = \"builtin\"", "trainer = \"builtin\"\ncommand = [\"x\"]",
            "7:11: `command` belongs to scripts; the built-in trainer has none; give either"},
           {"[workload.lenet]\n", "[workload.lenet]\nx = 1\n[workload.lenet]\n", "7:1: `workload.lenet` stands twice"},
           {"epochs = 6", "epochs = 6\nepochs = 7", "stands twice"},
           {"epochs = 6", "epochs 6", "11:8: not TOML"},
           {"epochs = 6", "epochs = six", "text needs quotes"},
           {"[workload.lenet]", "[workload.\"a b\"]", "`a b` cannot be a workload's name"},
       }) {
    const std::string said = mistakes_in(replaced(builtin_study(), c.what, c.by));
    EXPECT_NE(said.find(c.says), std::string::npos) << c.what << " -> " << c.by << "\nwanted: " << c.says << "\nsaid:\n"
                                                    << said;
  }
}

TEST(Mistakes, in_protocol_environment_and_rules) {
  for (const auto& [more, says] : std::initializer_list<std::pair<const char*, const char*>>{
           {"[protocol]\ntime_limit = 30",
            "15:14: `time_limit` must be a duration in quotes, not a whole number; for example"},
           {"[protocol]\ntime_limit = \"30\"", "15:14: `time_limit` is `30`, which is no duration; for example"},
           {"[protocol]\nsample_interval = \"1ms\"", "15:19: `sample_interval` is `1ms`, but must be from 20ms to 10s"},
           {"[protocol]\nsample_interval = \"11s\"", "from 20ms to 10s"},
           {"[protocol]\ntime_limit = \"0s\"", "must be from 1s to 30d"},
           {"[protocol]\nsilent_limit = \"1s\"",
            "15:1: unknown key `silent_limit` in [protocol]; did you mean `silence_limit`?"},
           {"[environment]\nthreads = 0", "15:11: `threads` is 0, but must be from 1 to 4096"},
           {"[environment]\ndevice = \"GPU 1\"", "15:10: `GPU 1` is no device; for example cpu, cuda or cuda:0"},
           {"[environment]\nvariables = { OMP_NUM_THREADS = 2 }",
            "must be text in quotes, not a whole number; write \"2\""},
           {"[environment]\nvariables = { WATTLE_EVENTS = \"x\" }", "is Wattle's own"},
           {"[environment]\nvariables = { \"A=B\" = \"x\" }", "`A=B` cannot be the name of a variable"},
           {"[environment]\nvariables = { A = \"x\\u0000y\" }", "holds a NUL byte"},
           {"[mutate]\nparameter = \"epochs\"",
            "`mutate` must be a list of tables, not a table; write [[mutate]], with two brackets"},
           {"[[mutate]]\noperator = \"step\"\nstep = 1", "14:1: [[mutate]] lacks `parameter`"},
           {"[[mutate]]\nparameter = \"epochs\"\nvalues = [1]",
            "14:1: [[mutate]] lacks `operator`; write operator = \"values\""},
           {"[[mutate]]\nparameter = \"epoch\"\noperator = \"step\"\nstep = 1",
            "15:13: no workload has a parameter `epoch`; did you mean `epochs`?"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"scael\"\nrange = [1, 2]",
            "16:12: `operator` cannot be `scael`; did you mean `scale`?"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"scale\"\nstep = 1",
            "14:1: [[mutate]] lacks `range`; factors of the default"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"scale\"\nstep = 1",
            "17:8: operator `scale` takes `range`, not `step`"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"scale\"\nrange = [2, 1]",
            "17:9: range [2, 1] runs backwards; write [1, 2]"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"scale\"\nrange = [1, 1]",
            "17:9: range [1, 1] is a single point; widen it"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"scale\"\nrange = [0, inf]",
            "17:9: `range` must hold two finite numbers"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"scale\"\nrange = [1]",
            "17:9: `range` must hold two finite numbers"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"log_scale\"\nrange = [0, 1]",
            "17:9: range [0, 1] of operator `log_scale` must begin above 0"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"scale\"\nrange = [-1, 1]", "must not be negative"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"step\"\nstep = -1",
            "17:8: `step` is -1, but must be a finite number above 0"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"values\"\nvalues = []", "17:10: `values` is empty"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"values\"\nvalues = [3, 6]",
            "17:14: 6 is the default of `epochs`: the original has it; leave it out"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"values\"\nvalues = [3, 3.5]",
            "17:14: `epochs`: 3.5 is not a whole number"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"values\"\nvalues = [3, [4]]",
            "17:14: `values` cannot hold a list"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"values\"\nvalues = [3]\nmutants = 2",
            "18:11: 2 mutants are asked for, but `values` holds 1"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"step\"\nstep = 1\nmutants = 0",
            "18:11: `mutants` is 0, but must be from 1"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"step\"\nstep = 1\nworkload = \"lent\"",
            "18:12: there is no workload `lent`; did you mean `lenet`?"},
           {"[[mutate]]\nparameter = \"epochs\"\noperator = \"step\"\nstep = 1\nworkload = [\"lenet\", \"lenet\"]",
            "is named twice"},
           {"[[mutate]]\nparameter = \"optimizer\"\noperator = \"step\"\nstep = 1",
            "17:8: operator `step` needs numbers, and `optimizer` is choice; use operator `values`"},

       }) {
    const std::string said = mistakes_in(builtin_study(more));
    EXPECT_NE(said.find(says), std::string::npos) << more << "\nwanted: " << says << "\nsaid:\n" << said;
  }
}

TEST(Mistakes, more_runs_than_anybody_can_wait_for) {
  const auto text =
      replaced(builtin_study("[[mutate]]\nparameter = \"batch_size\"\noperator = \"step\"\nstep = 1\nmutants = 100\n"),
               "repetitions = 3", "repetitions = 1000");
  EXPECT_EQ(
      mistakes_in(text),
      "study.toml:4:15: 101 configurations × 1000 repetitions are 101000 runs; a study may have 100000; repeat less, "
      "or draw fewer mutants\n");
}

TEST(Mistakes, in_a_script) {
  const ScriptFolder folder("mistakes_script");
  folder.put("config.in", "a: 1\nlr: {learning_rat}\n");
  for (const Case& c : std::initializer_list<Case>{
           {"\"/bin/sh\"", "\"/bin/no-such-shell\"", "4:12: /bin/no-such-shell does not exist"},
           {"\"/bin/sh\"", "\"./no.bin\"", "4:12: ./no.bin does not exist (looked in wattle_study_mistakes_script/)"},
           {"\"/bin/sh\"", "\"\"", "4:12: the program is empty"},
           {"\"--lr\"", "3", "`command` holds a whole number, but takes text in quotes; write \"3\""},
           {"\"--lr\"", "\"a\\u0000b\"", "`command` holds a NUL byte"},
           {"\"model.py\"", "\"modle.py\"", "5:10: modle.py does not exist"},
           {"\"model.py\"", "\".\"", "5:10: . is not a regular file"},
           {"\"model.py\"", "5", "`files` holds a whole number"},
           {"{--nesterov:nesterov}", "--x={--nesterov:nesterov}",
            "the switch in `--x={--nesterov:nesterov}` must be an element of its own"},
           {"{--nesterov:nesterov}", "{--lr:learning_rate}", "switches on `learning_rate`, which is float, not bool"},
           {"{seed}", "{sed}", "unknown placeholder {sed}; did you mean {seed}?"},
           {"{seed}", "{zzzzzzz}",
            "unknown placeholder {zzzzzzz}; declare it in [workload.script.parameters], or write {{zzzzzzz}} for plain "
            "text"},
           {"\"{learning_rate}\"", "\"0.1\"", "8:1: parameter `learning_rate` is used neither in `command`"},
           {"files =", "output = \"pip\"\nfiles =", "`output` cannot be `pip`; did you mean `pipe`?"},
           {"files =", "model = \"lenet5\"\nfiles =", "`model` belongs to the built-in trainer"},
           {"files =", "defaults = { a = 1 }\nfiles =", "a script's defaults stand in its `parameters`"},
           {"files =", "render = [{ template = \"config.in\", target = \"c\" }]\nfiles =",
            "5:24: unknown placeholder {learning_rat} in line 2 of config.in; did you mean {learning_rate}?"},
           {"files =", "render = [{ template = \"none.in\", target = \"c\" }]\nfiles =",
            "5:24: none.in does not exist"},
           {"files =", "render = [{ template = \"model.py\", target = \"../c\" }]\nfiles =",
            "`../c` is not a plain file name; it is written into {run_dir}"},
           {"files =", "render = [{ template = \"model.py\" }]\nfiles =", "5:11: render lacks `target`"},
           {"regex = 'acc (?<value>[\\d.]+)'", "regex = '(?<value>['",
            "6:76: the regular expression has a bracket [ without its ]"},
           {"regex = 'acc (?<value>[\\d.]+)'", "regex = 'x', file = \"a.csv\"",
            "a metric has either `regex` or `file`, not both"},
           {"regex = 'acc (?<value>[\\d.]+)'", "file = \"log.txt\"", "`log.txt` is neither .csv nor .jsonl nor .json"},
           {"regex = 'acc (?<value>[\\d.]+)'", "file = \"l.csv\", key = \"a\"",
            "`key` does not go with a CSV file; use `column`"},
           {"regex = 'acc (?<value>[\\d.]+)'", "file = \"{seed}.csv\"", "`file` cannot hold {seed}; only {run_dir}"},
           {"regex = 'acc (?<value>[\\d.]+)'", "column = \"a\"", "`column` needs a `file`"},
           {"nesterov = { default = false }", "nesterov = { default = false }\nseed = { default = 1 }",
            "10:1: {seed} is filled in by Wattle; it cannot be a parameter"},
           {"nesterov = { default = false }", "nesterov = false",
            "9:12: `nesterov` in [workload.script.parameters] must be a table, not true or false; write nesterov = { "
            "default = false }"},
           {"nesterov = { default = false }", "nesterov = { type = \"bool\" }", "lacks `default`"},
           {"nesterov = { default = false }", "nesterov = { default = false, typ = \"bool\" }", "unknown key `typ`"},
           {"nesterov = { default = false }", "nesterov = { default = [] }",
            "`default` must be a number, text, true or false, not a list"},
           {"nesterov = { default = false }", "nesterov = { default = \"a\", type = \"choice\" }",
            "type `choice` needs `choices`"},
           {"nesterov = { default = false }", "nesterov = { default = \"a\", choices = [\"b\"] }",
            "`nesterov`: `a` is not one of b"},
           {"nesterov = { default = false }", "nesterov = { default = 1, choices = [\"b\"] }",
            "`choices` does not go with type `int`"},
           {"nesterov = { default = false }", "nesterov = { default = false, domain = [0, 1] }",
            "`domain` does not go with type `bool`"},
           {"[1e-6, 10.0]", "[10.0, 1]", "domain [10, 1] runs backwards; write [1, 10]"},
           {"[1e-6, 10.0]", "[0, inf]", "`domain` must hold two finite numbers"},
           {"[1e-6, 10.0]", "[0]", "`domain` must hold two finite numbers"},
           {"default = 1,", "default = 11,", "8:29: `learning_rate`: 11.0 is above the largest, 10"},
           {"type = \"float\"", "type = \"double\"", "`type` cannot be `double`"},
       }) {
    const std::string said = mistakes_in(replaced(kScript, c.what, c.by), folder.study());
    EXPECT_NE(said.find(c.says), std::string::npos) << c.what << " -> " << c.by << "\nwanted: " << c.says << "\nsaid:\n"
                                                    << said;
  }
}

TEST(Mistakes, of_the_file_as_a_whole) {
  EXPECT_EQ(mistakes_in(""), "study.toml: the file is empty; a study needs [study] and a [workload.NAME]\n");
  EXPECT_EQ(mistakes_in("# nothing\n\n"), mistakes_in(""));
  EXPECT_EQ(mistakes_in("[study]\nname = \"x\"\n"), "study.toml: there is no workload; add a table [workload.NAME]\n");
  EXPECT_NE(mistakes_in("[workload.a]\n").find("study.toml: there is no [study]"), std::string::npos);
  EXPECT_NE(mistakes_in(std::string((1U << 20U) + 1, '#')).find("a study may have 1048576"), std::string::npos);
  EXPECT_EQ(mistakes_in("[study]\nname = \"a\xff\"\n"), "study.toml:2:9: what follows here is not UTF-8 text\n");
  EXPECT_NE(
      mistakes_in("workload = 3\n[study]\nname = \"x\"\n").find("1:12: `workload` must be a table, not a whole number"),
      std::string::npos);
  EXPECT_NE(mistakes_in(std::string("[study]\nname = \"a\0b\"\n", 20)).find("study.toml:2:"), std::string::npos);
  FixedSchema schema;
  const auto none = load_study("/nowhere/at/all.toml", schema);
  ASSERT_EQ(none.diagnostics.size(), 1U);
  EXPECT_NE(describe(none.diagnostics, "all.toml").find("all.toml: cannot read"), std::string::npos);
  EXPECT_FALSE(load_study("/", schema).study);
}

// The parser nests a table for every dot, and tables are destroyed recursively.
TEST(Mistakes, depth_cannot_exhaust_the_stack) {
  std::string dotted = "a";
  for (int i = 0; i < 300'000; ++i) dotted += ".a";
  EXPECT_NE(mistakes_in(dotted + " = 1").find("more than 32 dots"), std::string::npos);
  EXPECT_NE(mistakes_in("[" + dotted + "]").find("more than 32 dots"), std::string::npos);
  EXPECT_NE(mistakes_in("x = " + std::string(100'000, '[')).find("study.toml:1:"), std::string::npos);
  EXPECT_EQ(mistakes_in(builtin_study(
                "# wait ........................................................ for it\n"
                "# So it was. So it was. So it was. So it was. So it was. So it was. So it was. So it was. So it was. "
                "So it was. So it was. So it was. So it was. So it was. So it was. So it was. So it was. So it was. So "
                "it was. So it was. So it was. So it was. So it was. So it was. So it was. So it was. So it was. So it "
                "was. So it was. So it was. So it was. So it was. So it was. So it was. So it was. So it was. So it "
                "was. So it was. So it was. So it was. \n")),
            "");
}

TEST(Mistakes, hostile_names_cannot_move_the_cursor) {
  const std::string said = mistakes_in("[study]\nname = \"x\"\n\"\\u001b[2J\\n\" = 1\n");
  EXPECT_EQ(said.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
}

// Cut anywhere, a study is refused or read, and never anything else.
TEST(Mistakes, a_file_cut_at_any_byte_is_no_disaster) {
  const ScriptFolder folder("cut");
  const std::string whole = kScript;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    FixedSchema schema;
    const auto result = parse_study(std::string_view(whole).substr(0, size), folder.study(), schema);
    EXPECT_EQ(result.study.has_value(), result.diagnostics.empty());
  }
}

}  // namespace
}  // namespace wattle::study
