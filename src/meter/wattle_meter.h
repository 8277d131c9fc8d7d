/* libwattle_meter: Wattle's meter and Wattle's trainer protocol for programs in C, and in whatever can call C.
 *
 * Two halves that do not need each other:
 *
 *   The meter reads this machine's energy sources from a thread of the calling process and tells the energy of any span
 *   of time since it was started, with provenance, coverage and uncertainty (docs/measurement.md).
 *   The events tell a Wattle run what the program is doing (docs/trainer_protocol.md). Outside a run they do nothing.
 *
 * C99 and C++. Link with -lwattle_meter. No function lets a C++ exception out, prints (but for one warning per cause of
 * the events), or ends the program. Texts are UTF-8 and end with a zero byte.
 *
 * Structs begin with their size, which the caller sets: a library newer than the program fills only what the program
 * knows of, an older one leaves what it does not know as it was. Fields are only ever added at the end. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define WATTLE_API __attribute__((visibility("default")))
#else
#define WATTLE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* NOLINTBEGIN(readability-identifier-naming): C's names, not C++'s. */

/* --- The meter ------------------------------------------------------------------------------------------------------
 */

/* One running meter. It belongs to the process that started it: in a forked child every function below answers
 * WATTLE_METER_ABSENT or 0, and wattle_meter_stop does nothing. */
typedef struct wattle_meter wattle_meter;

typedef struct wattle_meter_options {
  size_t size;               /* sizeof(wattle_meter_options) */
  int64_t interval_ns;       /* between samples, 1 ms to 60 s; 0: 100 ms */
  const char* const* probes; /* names, the last one NULL, as `wattle doctor` shows them, or "replay:FILE"; NULL: every
                                source that measures, and the model where none does */
  const char* sysroot;       /* prefix of /sys and /proc; NULL: "/" */
  const char* visible_gpus;  /* as CUDA_VISIBLE_DEVICES has it; NULL: all of them */
  size_t memory_bytes;       /* about what the samples may take, see wattle_meter_start; 0: 256 MiB */
} wattle_meter_options;

/* The energy of one domain, or of one total, in one window. */
typedef struct wattle_energy {
  size_t size;         /* sizeof(wattle_energy) */
  double energy_j;     /* NaN where it is not known, and why_absent says why; never 0 for "unknown" */
  double uncertainty;  /* relative half-width of about 95 %: 0.4 is ±40 %; NaN where energy_j is */
  double coverage;     /* the part of the window that was really sampled, 0 to 1 */
  int measured;        /* 1: a counter or integrated power; 0: an estimate, never to be added to what is measured */
  int simulated;       /* 1: a replay, never a finding */
  char name[96];       /* of the domain, "package-0"; of a total, "measured" or "estimated" */
  char provenance[24]; /* counter, integrated_power, attributed, model, constant; of a total of several kinds, mixed */
  char source[96];     /* of the domain, "powercap"; of a total, the domains that it adds up, "package-0, dram-0" */
  char why_absent[192];
} wattle_energy;

/* What is drawn just now. */
typedef struct wattle_power {
  size_t size;     /* sizeof(wattle_power) */
  double power_w;  /* mean over about the last second; NaN where it is not known */
  double energy_j; /* since the meter was started; NaN where nothing was ever read */
  int measured;    /* 1: both are of the measured total; 0: nothing is measured and they are of the estimated one */
  int simulated;   /* 1: a replay, never a finding */
} wattle_power;

enum {
  WATTLE_METER_OK = 0,
  WATTLE_METER_ABSENT = 1,      /* the number is not known; the struct says why */
  WATTLE_METER_BAD_ARGUMENT = 2 /* NULL, a size smaller than any version of the struct, a domain that is not there */
};

/* In place of a domain's index: the machine's total, each joule once. Measured and estimated are never one number. */
enum { WATTLE_METER_MEASURED = -1, WATTLE_METER_ESTIMATED = -2 };

/* Starts a meter; `options` NULL: all defaults. NULL where it cannot, with one line of why (cut to fit) in `error`,
 * which may be NULL. The caller ends it with wattle_meter_stop.
 *
 * Any window since its start can be asked for at any time. Two domains at the default 100 ms fill the default memory in
 * about three days, at 1 s in a month. From then on every second sample of the older half is given up, so that it never
 * takes more: windows of long ago get wider edges, and say so in their uncertainty. */
WATTLE_API wattle_meter* wattle_meter_start(const wattle_meter_options* options, char* error, size_t error_size);

/* The clock of windows: CLOCK_MONOTONIC in nanoseconds. */
WATTLE_API int64_t wattle_clock_ns(void);

/* How many domains there are. Fixed for the meter's life. */
WATTLE_API size_t wattle_meter_domain_count(const wattle_meter* meter);

/* The energy of the domain (0 … count − 1, or a total) from `begin_ns` to `end_ns`. Windows may nest and overlap, and
 * those that touch add up to the microjoule. Waits until the end has been sampled, at most about one interval (100 ms
 * at least), so take the time first and ask afterwards. A window that holds fewer than 20 samples is absent: sample
 * at a twentieth of the shortest window. Any thread, while nobody stops the meter. */
WATTLE_API int wattle_meter_window(const wattle_meter* meter, int domain, int64_t begin_ns, int64_t end_ns,
                                   wattle_energy* energy);

/* Any thread, while nobody stops the meter. Does not wait. */
WATTLE_API int wattle_meter_now(const wattle_meter* meter, wattle_power* power);

/* The sources that exist and cannot be read, with the reason and what would help: text number `index` is copied, cut to
 * fit. Returns its whole length; 0 where there is no such number. */
WATTLE_API size_t wattle_meter_missing(const wattle_meter* meter, size_t index, char* text, size_t text_size);

/* Ends the meter and frees it; waits for a read in progress. NULL is allowed. */
WATTLE_API void wattle_meter_stop(wattle_meter* meter);

/* --- The events -----------------------------------------------------------------------------------------------------
 */

/* Inside a Wattle run (WATTLE_EVENTS is set when the library is loaded) these write the trainer protocol; outside they
 * return at once. From any thread, but not from a signal handler. They never disturb the training: what makes no sense
 * is left out with one warning on stderr, and where the file cannot be written they fall silent for good.
 *
 * The first process of a run that says anything speaks for it. So only rank 0 does: the first of RANK, LOCAL_RANK,
 * SLURM_PROCID, OMPI_COMM_WORLD_RANK that holds a number, read when there is first something to say. A forked child is
 * silent. wattle_speak overrules both.
 *
 * Names are at most 200 bytes, the rest is cut. Epochs count from 1; 0: none. */

/* A span of the training: load, pretrain, train, validate, test, save or any word. Phases do not overlap: one that
 * begins within another pauses it, and it resumes afterwards; one of the same name and epoch is part of it. They are
 * the process's, not the thread's. Synchronise devices before both calls, where wattle_speaking(). */
WATTLE_API void wattle_phase_begin(const char* name, int epoch);
/* The innermost open phase of the name; NULL: the innermost. */
WATTLE_API void wattle_phase_end(const char* name);
/* `split` is train, validation or test. A `loss` that is not finite makes the run diverged. */
WATTLE_API void wattle_metric(const char* name, double value, const char* split, int epoch);
/* The epoch has ended, validation included. The first began with the first phase `train`. */
WATTLE_API void wattle_epoch(int epoch);
/* The last word: completed, early_stopped, diverged or failed; `reason` may be NULL. Never said by itself. */
WATTLE_API void wattle_done(const char* status, const char* reason);
/* This process speaks (or, with 0, does not), whatever its rank, and even if it was forked. */
WATTLE_API void wattle_speak(int really);
/* 1 where events of this process are written. */
WATTLE_API int wattle_speaking(void);

/* NOLINTEND(readability-identifier-naming) */

#ifdef __cplusplus
}
#endif
