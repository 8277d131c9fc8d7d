/* One program a scenario, chosen by its first argument: what a program in C tells a Wattle run. */
#define _DEFAULT_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wattle_meter.h>

static void burn(double seconds) {
  const int64_t end = wattle_clock_ns() + (int64_t)(seconds * 1e9);
  while (wattle_clock_ns() < end) {
  }
}

/* The same as SCENARIO of speak_test.py. */
static void scenario(void) {
  wattle_phase_begin("load", 0);
  wattle_phase_end("load");
  wattle_phase_begin("train", 1);
  wattle_phase_begin("train", 1);
  wattle_phase_end("train");
  wattle_phase_begin("save \"it\"\n", 0);
  wattle_phase_end(NULL);
  wattle_phase_end("train");
  wattle_phase_end("train");
  wattle_metric("loss", NAN, "train", 1);
  wattle_metric("loss", INFINITY, "train", 1);
  wattle_metric("loss", -INFINITY, "train", 1);
  wattle_metric("accuracy", 0.93, "validation", 1);
  wattle_metric("accuracy", 0.93, "val", 1);
  wattle_metric("accuracy", 0.94, "test", -1);
  wattle_metric("", 0.94, "test", 0);
  wattle_epoch(1);
  wattle_epoch(0);
  wattle_phase_begin("", 0);
  wattle_phase_begin("caf\xc3\xa9", 0);
  wattle_done("perfect", NULL);
  wattle_done("early_stopped", "no better\nfor long");
  wattle_metric("after", 1.0, "test", 0);
}

static void long_names(void) {
  char name[5000];
  memset(name, 'x', sizeof name);
  name[sizeof name - 1] = 0;
  wattle_phase_begin(name, 0);
  wattle_phase_end(name);
  for (int i = 0; i < 199; ++i) name[i] = '"';
  memcpy(name + 199, "\xc3\xa9\xc3\xa9", 4); /* cut in the middle of a character */
  wattle_phase_begin(name, 0);
  wattle_phase_end(name);
  wattle_phase_begin("not \xff UTF-8 \xc3", 0);
  wattle_phase_end("not \xff UTF-8 \xc3");
}

static void* many(void* argument) {
  for (int i = 0; i < 500; ++i) wattle_metric("loss", 0.5, "train", *(int*)argument);
  return NULL;
}

static void threads(void) {
  pthread_t all[8];
  int numbers[8];
  for (int i = 0; i < 8; ++i) {
    numbers[i] = i + 1;
    if (pthread_create(&all[i], NULL, many, &numbers[i]) != 0) abort();
  }
  for (int i = 0; i < 8; ++i) pthread_join(all[i], NULL);
}

static void child_of_fork(int asked) {
  wattle_phase_begin("train", 1);
  const pid_t child = fork();
  if (child == 0) {
    if (asked) wattle_speak(1);
    wattle_metric("child", 1.0, "train", 0);
    wattle_phase_end("train");
    if (wattle_speaking() != asked) _exit(9);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) exit(8);
  wattle_phase_end("train");
}

/* No file may grow beyond a few lines; one that already has would end this program by SIGXFSZ. */
static void file_limit(void) {
  const struct rlimit limit = {600, 600};
  setrlimit(RLIMIT_FSIZE, &limit);
  for (int i = 0; i < 100; ++i) wattle_metric("loss", 0.5, "train", 1);
  if (wattle_speaking()) exit(9);
}

/* The run that speak_test.py looks at through `wattle`. */
static void whole_run(void) {
  for (int epoch = 1; epoch <= 2; ++epoch) {
    wattle_phase_begin("train", epoch);
    burn(0.15);
    wattle_phase_begin("save", epoch);
    burn(0.05);
    wattle_phase_end("save");
    wattle_phase_end("train");
    wattle_phase_begin("validate", epoch);
    burn(0.05);
    wattle_phase_end("validate");
    wattle_metric("accuracy", 0.9 + 0.01 * epoch, "validation", epoch);
    wattle_epoch(epoch);
  }
  wattle_done("completed", NULL);
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "scenario") == 0) scenario();
  if (strcmp(what, "long_names") == 0) long_names();
  if (strcmp(what, "threads") == 0) threads();
  if (strcmp(what, "fork") == 0) child_of_fork(0);
  if (strcmp(what, "fork_asked") == 0) child_of_fork(1);
  if (strcmp(what, "file_limit") == 0) file_limit();
  if (strcmp(what, "whole_run") == 0) whole_run();
  if (strcmp(what, "asked") == 0) wattle_speak(1);
  if (strcmp(what, "asked") == 0 || strcmp(what, "metric") == 0) wattle_metric("accuracy", 0.5, "validation", 1);
  return 0;
}
