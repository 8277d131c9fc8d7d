/* Uses the meter as a program would, and says on which line it was disappointed. The first argument is a replay file
 * whose one domain, package-0, draws 50 W. */
#define _DEFAULT_SOURCE
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wattle_meter.h>

#define EXPECT(claim)                                                 \
  do {                                                                \
    if (!(claim)) {                                                   \
      fprintf(stderr, "meters.c:%d: not so: %s\n", __LINE__, #claim); \
      exit(1);                                                        \
    }                                                                 \
  } while (0)

static void pass(double seconds) {
  const int64_t end = wattle_clock_ns() + (int64_t)(seconds * 1e9);
  const struct timespec moment = {0, 1000000};
  while (wattle_clock_ns() < end) nanosleep(&moment, NULL);
}

static wattle_meter* replay(const char* file) {
  char name[4096];
  char error[200] = "";
  snprintf(name, sizeof name, "replay:%s", file);
  const char* const probes[] = {name, NULL};
  const wattle_meter_options options = {.size = sizeof options, .interval_ns = 2000000, .probes = probes};
  wattle_meter* meter = wattle_meter_start(&options, error, sizeof error);
  if (meter == NULL) fprintf(stderr, "%s\n", error);
  EXPECT(meter != NULL);
  return meter;
}

static void windows_are_known_with_their_provenance(const wattle_meter* meter) {
  const int64_t begin = wattle_clock_ns();
  pass(0.2);
  const int64_t middle = wattle_clock_ns();
  pass(0.2);
  const int64_t end = wattle_clock_ns();
  EXPECT(wattle_meter_domain_count(meter) == 1);
  wattle_energy domain = {.size = sizeof domain};
  EXPECT(wattle_meter_window(meter, 0, begin, end, &domain) == WATTLE_METER_OK);
  EXPECT(fabs(domain.energy_j / (50.0 * (double)(end - begin) * 1e-9) - 1.0) < 0.01);
  EXPECT(strcmp(domain.name, "package-0") == 0 && strcmp(domain.provenance, "integrated_power") == 0);
  EXPECT(domain.measured == 1 && domain.simulated == 1 && domain.why_absent[0] == 0);
  EXPECT(domain.coverage > 0.99 && domain.coverage <= 1.0 && domain.uncertainty >= 0.0);
  wattle_energy total = {.size = sizeof total};
  EXPECT(wattle_meter_window(meter, WATTLE_METER_MEASURED, begin, end, &total) == WATTLE_METER_OK);
  EXPECT(total.energy_j == domain.energy_j && strcmp(total.source, "package-0") == 0);
  wattle_energy first = {.size = sizeof first};
  wattle_energy second = {.size = sizeof second};
  EXPECT(wattle_meter_window(meter, 0, begin, middle, &first) == WATTLE_METER_OK);
  EXPECT(wattle_meter_window(meter, 0, middle, end, &second) == WATTLE_METER_OK);
  EXPECT(fabs(first.energy_j + second.energy_j - domain.energy_j) < 1e-9);
  wattle_power power = {.size = sizeof power};
  EXPECT(wattle_meter_now(meter, &power) == WATTLE_METER_OK);
  EXPECT(fabs(power.power_w - 50.0) < 0.5 && power.measured == 1 && power.simulated == 1 && power.energy_j > 0.0);
}

static void what_is_not_known_is_absent(const wattle_meter* meter) {
  const int64_t now = wattle_clock_ns();
  wattle_energy energy = {.size = sizeof energy};
  EXPECT(wattle_meter_window(meter, WATTLE_METER_ESTIMATED, now - 100000000, now, &energy) == WATTLE_METER_ABSENT);
  EXPECT(isnan(energy.energy_j) && isnan(energy.uncertainty) && energy.measured == 0 && energy.why_absent[0] != 0);
  EXPECT(wattle_meter_window(meter, 0, now - 4000000, now, &energy) == WATTLE_METER_ABSENT);
  EXPECT(isnan(energy.energy_j) && strstr(energy.why_absent, "too short") != NULL);
  EXPECT(wattle_meter_window(meter, 0, now, now + 60000000000, &energy) == WATTLE_METER_ABSENT);
  EXPECT(isnan(energy.energy_j) && strstr(energy.why_absent, "not over") != NULL);
  EXPECT(wattle_meter_window(meter, 0, now, now - 1, &energy) == WATTLE_METER_ABSENT);
  EXPECT(wattle_meter_window(meter, 0, 0, 1000000000, &energy) == WATTLE_METER_ABSENT && isnan(energy.energy_j));
}

static void a_wrong_call_is_told(const wattle_meter* meter) {
  char error[20];
  wattle_energy energy = {.size = sizeof energy};
  EXPECT(wattle_meter_window(meter, 1, 0, 1, &energy) == WATTLE_METER_BAD_ARGUMENT);
  EXPECT(wattle_meter_window(meter, -3, 0, 1, &energy) == WATTLE_METER_BAD_ARGUMENT);
  EXPECT(wattle_meter_window(NULL, 0, 0, 1, &energy) == WATTLE_METER_BAD_ARGUMENT);
  EXPECT(wattle_meter_window(meter, 0, 0, 1, NULL) == WATTLE_METER_BAD_ARGUMENT);
  energy.size = 8;
  EXPECT(wattle_meter_window(meter, 0, 0, 1, &energy) == WATTLE_METER_BAD_ARGUMENT);
  const char* const unknown[] = {"powercup", NULL};
  wattle_meter_options options = {.size = sizeof options, .probes = unknown};
  EXPECT(wattle_meter_start(&options, error, sizeof error) == NULL && strlen(error) == sizeof error - 1);
  EXPECT(wattle_meter_start(&options, NULL, 0) == NULL);
  options.probes = NULL;
  options.interval_ns = 10;
  EXPECT(wattle_meter_start(&options, error, sizeof error) == NULL);
  options.interval_ns = 0;
  options.size = 4;
  EXPECT(wattle_meter_start(&options, error, sizeof error) == NULL);
  wattle_meter_stop(NULL);
}

/* A program that was compiled with a newer header: its struct is longer. */
static void a_longer_struct_keeps_what_is_not_known_of_it(const wattle_meter* meter) {
  struct {
    wattle_energy known;
    double later;
  } newer = {.known = {.size = sizeof newer}, .later = 7.0};
  const int64_t now = wattle_clock_ns();
  EXPECT(wattle_meter_window(meter, 0, now - 100000000, now, &newer.known) == WATTLE_METER_OK);
  EXPECT(newer.known.size == sizeof newer && newer.later == 7.0 && newer.known.energy_j > 0.0);
  struct {
    wattle_meter_options known;
    int64_t later;
  } options = {.known = {.size = sizeof options}, .later = 1};
  char error[200];
  EXPECT(wattle_meter_start(&options.known, error, sizeof error) == NULL && strstr(error, "does not know") != NULL);
  options.later = 0;
  wattle_meter* another = wattle_meter_start(&options.known, error, sizeof error);
  EXPECT(another != NULL);
  wattle_meter_stop(another);
}

static void a_forked_child_has_no_meter(wattle_meter* meter) {
  const pid_t child = fork();
  if (child == 0) {
    wattle_energy energy = {.size = sizeof energy};
    EXPECT(wattle_meter_window(meter, 0, 1, 2, &energy) == WATTLE_METER_ABSENT && isnan(energy.energy_j));
    EXPECT(wattle_meter_domain_count(meter) == 0);
    wattle_meter_stop(meter);
    _exit(0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT(status == 0);
}

static void* ask(void* meter) {
  for (int i = 0; i < 20; ++i) {
    // A busy machine samples late, and four who ask at once are busy: the window grows until it holds enough.
    const int64_t begin = wattle_clock_ns();
    wattle_energy energy = {.size = sizeof energy};
    int told = !WATTLE_METER_OK;
    for (int tries = 0; tries < 200 && told != WATTLE_METER_OK; ++tries) {
      pass(0.06);
      told = (int)wattle_meter_window(meter, 0, begin, wattle_clock_ns(), &energy);
    }
    EXPECT(told == WATTLE_METER_OK);
  }
  return NULL;
}

static void many_threads_may_ask(wattle_meter* meter) {
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) EXPECT(pthread_create(&threads[i], NULL, ask, meter) == 0);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
}

int main(int argc, char** argv) {
  EXPECT(argc == 2);
  wattle_meter* meter = replay(argv[1]);
  windows_are_known_with_their_provenance(meter);
  what_is_not_known_is_absent(meter);
  a_wrong_call_is_told(meter);
  a_longer_struct_keeps_what_is_not_known_of_it(meter);
  a_forked_child_has_no_meter(meter);
  many_threads_may_ask(meter);
  wattle_meter_stop(meter);
  return 0;
}
