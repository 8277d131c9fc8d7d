/* Trains a logistic regression on synthetic data, in C99. It measures its own epochs with libwattle_meter, and tells a
 * Wattle run what it is doing; outside a run that part does nothing. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <wattle_meter.h>

enum { FEATURES = 64, TRAINING = 20000, VALIDATION = 4000, SAMPLES = TRAINING + VALIDATION };

typedef struct sample {
  double x[FEATURES];
  int label;
} sample;

/* xorshift64*, Vigna 2016. */
static uint64_t state = 2024;
static double uniform(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (double)((state * UINT64_C(2685821657736338717)) >> 11) / 9007199254740992.0;
}

/* The same data on every call of the program: half the points lie on either side of a plane, with noise. */
static void draw(sample* data) {
  for (int i = 0; i < SAMPLES; ++i) {
    double side = 2.0 * (uniform() - 0.5);
    for (int k = 0; k < FEATURES; ++k) {
      data[i].x[k] = 2.0 * (uniform() - 0.5);
      side += (k % 2 ? 1.0 : -1.0) * data[i].x[k];
    }
    data[i].label = side > 0.0;
  }
}

static double predicted(const double* weights, const sample* one) {
  double sum = weights[FEATURES];
  for (int k = 0; k < FEATURES; ++k) sum += weights[k] * one->x[k];
  return 1.0 / (1.0 + exp(-sum));
}

static double train(double* weights, const sample* data, double learning_rate) {
  double loss = 0.0;
  for (int i = 0; i < TRAINING; ++i) {
    const double p = predicted(weights, &data[i]);
    const double error = p - data[i].label;
    loss -= log(data[i].label ? fmax(p, 1e-12) : fmax(1.0 - p, 1e-12));
    for (int k = 0; k < FEATURES; ++k) weights[k] -= learning_rate * error * data[i].x[k];
    weights[FEATURES] -= learning_rate * error;
  }
  return loss / TRAINING;
}

static double accuracy(const double* weights, const sample* data) {
  int right = 0;
  for (int i = TRAINING; i < SAMPLES; ++i) right += (predicted(weights, &data[i]) > 0.5) == data[i].label;
  return (double)right / VALIDATION;
}

/* What the machine used, measured where anything is measured, else estimated: the number never stands without that. */
static void print_energy(const wattle_meter* meter, int64_t begin, int64_t end) {
  wattle_energy energy = {.size = sizeof energy};
  int known = wattle_meter_window(meter, WATTLE_METER_MEASURED, begin, end, &energy);
  if (known != WATTLE_METER_OK) known = wattle_meter_window(meter, WATTLE_METER_ESTIMATED, begin, end, &energy);
  if (known == WATTLE_METER_OK) {
    printf(" energy_j %.3f uncertainty %.2f %s (%s)\n", energy.energy_j, energy.uncertainty, energy.name,
           energy.source);
  } else {
    printf(" energy not known: %s\n", energy.why_absent);
  }
}

int main(int argc, char** argv) {
  const double learning_rate = argc > 1 ? atof(argv[1]) : 0.01;
  const int epochs = argc > 2 ? atoi(argv[2]) : 3;
  const int passes = argc > 3 ? atoi(argv[3]) : 100; /* through the data, an epoch */
  char error[200];
  const wattle_meter_options options = {.size = sizeof options, .interval_ns = 5000000};
  wattle_meter* meter = wattle_meter_start(&options, error, sizeof error);
  if (meter == NULL) fprintf(stderr, "no energy: %s\n", error); /* the training goes on without */

  wattle_phase_begin("load", 0);
  sample* data = malloc(SAMPLES * sizeof *data);
  if (data == NULL) return 1;
  draw(data);
  wattle_phase_end("load");

  double weights[FEATURES + 1] = {0};
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const int64_t begin = wattle_clock_ns();
    double loss = 0.0;
    wattle_phase_begin("train", epoch);
    for (int pass = 0; pass < passes; ++pass) loss = train(weights, data, learning_rate);
    wattle_phase_end("train");
    wattle_phase_begin("validate", epoch);
    const double right = accuracy(weights, data);
    wattle_phase_end("validate");
    const int64_t end = wattle_clock_ns();
    wattle_metric("loss", loss, "train", epoch);
    wattle_metric("accuracy", right, "validation", epoch);
    wattle_epoch(epoch);
    printf("epoch %d loss %.4f accuracy %.4f", epoch, loss, right);
    if (meter != NULL) {
      print_energy(meter, begin, end);
    } else {
      printf("\n");
    }
  }
  wattle_done("completed", NULL);
  wattle_meter_stop(meter);
  free(data);
  return 0;
}
