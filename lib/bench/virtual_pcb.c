/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual asset "pcb": solder-paste inspection behind a stencil printer. One sample = one deposit,
 * 16 measurements, board after board; by default 10 deposits a second.
 *
 * Product. A board has 48 pads of six aperture kinds (table `apertures`: sides, share, tolerance),
 * drawn from the seed together with their places on 160 x 100 mm. After 400 boards the line changes
 * to another product: new layout, and a stencil of 100, 130 or 150 um.
 *
 * Paste. Transfer efficiency follows the area ratio AR = a b / (2 (a + b) t) of an a x b aperture
 * in a stencil of thickness t (IPC-7525: print well above 0.66) as a logistic curve,
 *     TE = 1.02 / (1 + exp(-(AR - 0.47) / 0.075)).
 * The paste dries: viscosity rises by 5 % an hour, more when it is warm (4 % a degree over 24 C) or
 * dry (1 % a point under 45 %), and is fresh again every 4 h. Each step off the best viscosity
 * lowers TE of small apertures. Temperature and humidity are a day cycle plus an Ornstein-Uhlenbeck
 * process with a correlation time of 40 min.
 *
 * Stencil. Each print clogs it a little, faster with stiff paste; every 12 boards it is wiped (one
 * wipe in 20 is missed), which takes 90 % away. One aperture of a kind can block for good until the
 * next wipe. The squeegee wears over 6,000 boards, which thickens and smears deposits, then it is
 * changed. The stencil's offset is a random walk, corrected every 60 boards.
 *
 * Deposit. volume = TE x clogging x wear x lognormal noise (5 %, more for small apertures);
 * height and area share it out; blocked apertures, smears (excess) and board-wide shifts are the
 * defect modes. The joint is bad with a probability that rises logistically when the true volume
 * leaves [vmin, vmax] of its aperture or the true offset leaves its limit: reflow forgives some.
 *
 * Measurement. Gaussian noise (volume 1.5 %, height 1.2 um, offset 0.8 %, ...), and two artefacts
 * that leave the joint alone: a warped board (one of 14; a paraboloid of up to 60 um, strongest in
 * the middle, adds to height and volume but not to area) and glare (one deposit of 60, more when
 * the air is damp: area and shape are wrong, height is fine).
 *
 * Verdict. Tolerance: volume 60..150 %, height 60..150 % of t, area 65..140 %, |offset| 25 %,
 * shape 45 um. error: the joint is bad. pseudo-error: out of tolerance though the joint is good.
 * ok: all else. A wrong class is named for 0.1 % of the good and 2 % of the other deposits. Each
 * label is a point at the sample's time; 70 % are given after 20 s, the others exponentially late
 * (mean 10 min, at most 60 min more). Roughly 80 % are ok, 3 % error, 17 % pseudo-error. */
#include <math.h>

#include "base/compiler.h"
#include "bench/virtual.h"

#define PADS          48
#define PRODUCT_RUN   400 /* boards */
#define WIPE_EVERY    12
#define ALIGN_EVERY   60
#define SQUEEGEE_LIFE 6000
#define PASTE_LIFE_S  (4 * 3600.0)

enum { OK, ERROR, PSEUDO, CLASSES };
static const char *const classes[CLASSES] = {"ok", "error", "pseudo-error"};

/* clang-format off */
static const char *const channels[] = {
    "volume_pct", "height_um", "area_pct", "offset_x_pct", "offset_y_pct", "size_x_mm", "size_y_mm",
    "volume_um3", "area_um2", "shape_um", "pos_x_mm", "pos_y_mm", "paste_temp_c", "humidity_pct",
    "squeegee_force_n", "print_speed_mm_s",
};
static const char *const units[] = {
    "%", "um", "%", "%", "%", "mm", "mm", "um3", "um2", "um", "mm", "mm", "Cel", "%", "N", "mm/s",
};
/* clang-format on */
_Static_assert(EOP_COUNT(channels) == EOP_COUNT(units), "one unit a channel");

typedef struct aperture {
    double x_mm, y_mm;
    double share;            /* of the pads */
    double volume_min_pct;   /* below, a joint tends to be open */
    double volume_max_pct;   /* above, it tends to bridge */
    double offset_limit_pct; /* of the side */
} aperture;

static const aperture apertures[] = {
    {0.28, 0.30, 0.20, 46, 172, 32}, /* chip 0201 */
    {0.50, 0.55, 0.25, 42, 185, 36}, /* chip 0402 */
    {0.30, 0.30, 0.20, 50, 160, 30}, /* BGA ball */
    {0.25, 0.85, 0.15, 48, 155, 26}, /* QFN lead */
    {0.60, 1.60, 0.15, 38, 190, 40}, /* SO lead */
    {2.00, 2.00, 0.05, 35, 200, 45}, /* thermal pad */
};

typedef struct pad {
    uint32_t kind;
    double x_mm, y_mm;
} pad;

typedef struct board {
    double warp_um; /* at the middle; 0: flat */
    double shift_x_pct, shift_y_pct;
    double force_n, speed_mm_s;
} board;

typedef struct pcb {
    eop_random process, measure, people;
    double stencil_um;
    pad pads[PADS];
    uint32_t next_pad;
    uint64_t boards;
    board board;
    double temp, humidity; /* deviation from the day cycle */
    double paste_since;    /* s */
    double clog;           /* 0 clean .. 1 */
    double drift_x_mm, drift_y_mm;
    uint64_t blocked; /* bit a pad */
} pcb;

/* What holds while one deposit is made and looked at. */
typedef struct deposit {
    const aperture *aperture;
    const pad *pad;
    double volume, height, area; /* of the nominal, 1 = 100 % */
    double offset_x, offset_y;   /* % of the side */
    double shape_um;
    double temp_c, humidity_pct;
    bool bad;
} deposit;

static double clamp(double x, double low, double high) {
    return x < low ? low : x > high ? high : x;
}

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

/* To 1/steps: a division gives the decimal that is meant. */
static double rounded(double x, double steps) {
    return nearbyint(x * steps) / steps;
}

static void new_product(pcb *p) {
    static const double stencils[] = {100, 130, 150};
    p->stencil_um = stencils[eop_random_below(&p->process, 3)];
    for (size_t i = 0; i < PADS; i++) {
        double u = eop_random_unit(&p->process);
        uint32_t kind = 0;
        while (kind + 1 < EOP_COUNT(apertures) && u >= apertures[kind].share) {
            u -= apertures[kind++].share;
        }
        p->pads[i].kind = kind;
        p->pads[i].x_mm = rounded(eop_random_range(&p->process, 4, 156), 100);
        p->pads[i].y_mm = rounded(eop_random_range(&p->process, 4, 96), 100);
    }
}

static void new_board(pcb *p, double t) {
    eop_random *r = &p->process;
    if (p->boards % PRODUCT_RUN == 0) {
        new_product(p);
    }
    if (t - p->paste_since > PASTE_LIFE_S) {
        p->paste_since = t;
    }
    if (p->boards % WIPE_EVERY == 0 && eop_random_unit(r) >= 0.05) {
        p->clog *= 0.1;
        p->blocked = 0;
    }
    p->drift_x_mm += eop_random_normal(r, 0, 0.0025);
    p->drift_y_mm += eop_random_normal(r, 0, 0.0025);
    if (p->boards % ALIGN_EVERY == 0) {
        p->drift_x_mm = eop_random_normal(r, 0, 0.006);
        p->drift_y_mm = eop_random_normal(r, 0, 0.006);
    }
    p->board = (board){0};
    if (eop_random_unit(r) < 1.0 / 14) {
        p->board.warp_um = eop_random_range(r, 25, 60) * (eop_random_unit(r) < 0.8 ? 1 : -1);
    }
    if (eop_random_unit(r) < 0.02) { /* not clamped well */
        p->board.shift_x_pct = eop_random_normal(r, 0, 16);
        p->board.shift_y_pct = eop_random_normal(r, 0, 16);
    }
    p->board.force_n = eop_random_normal(r, 60, 1.5);
    p->board.speed_mm_s = eop_random_normal(r, 50, 0.6);
    p->boards++;
}

/* Ornstein-Uhlenbeck, exact for a step of dt. */
static double wander(eop_random *r, double x, double dt, double correlation_s, double deviation) {
    double keep = exp(-dt / correlation_s);
    return x * keep + eop_random_normal(r, 0, deviation * sqrt(1 - keep * keep));
}

static void print_deposit(pcb *p, double t, double dt, deposit *d) {
    eop_random *r = &p->process;
    const aperture *a = d->aperture;
    double day = sin(2 * EOP_PI * t / 86400);
    p->temp = wander(r, p->temp, dt, 2400, 0.7);
    p->humidity = wander(r, p->humidity, dt, 2400, 3);
    d->temp_c = 24 + 1.5 * day + p->temp;
    d->humidity_pct = clamp(45 - 6 * day + p->humidity, 15, 85);
    double hours = (t - p->paste_since) / 3600;
    double drying = 1 + clamp(0.04 * (d->temp_c - 24) + 0.01 * (45 - d->humidity_pct), -0.5, 1.5);
    double viscosity = 1 + 0.05 * hours * drying - 0.02 * (d->temp_c - 24);
    double ratio = a->x_mm * a->y_mm / (2 * (a->x_mm + a->y_mm) * p->stencil_um / 1000);
    double wear = (double)(p->boards % SQUEEGEE_LIFE) / SQUEEGEE_LIFE;
    double small = clamp(1.1 - ratio, 0, 1); /* how much an aperture holds back */
    p->clog = clamp(p->clog + 0.00022 * viscosity, 0, 1);

    double transfer = 1.02 / (1 + exp(-(ratio - 0.47) / 0.075));
    transfer *= 1 - 0.45 * small * fabs(viscosity - 1) - 0.9 * small * p->clog;
    transfer *=
        1 + 0.10 * wear + 0.004 * (60 - p->board.force_n) + 0.003 * (p->board.speed_mm_s - 50);
    double noise = eop_random_normal(r, 0, 0.045 + 0.05 * small);
    uint64_t bit = UINT64_C(1) << p->next_pad;
    if (eop_random_unit(r) < 0.0008 + 0.012 * p->clog * small) {
        p->blocked |= bit;
    }
    double spread = 1;
    if ((p->blocked & bit) != 0) {
        transfer *= eop_random_range(r, 0.05, 0.6);
    } else if (eop_random_unit(r) < 0.012 + 0.02 * wear) { /* smear under the stencil */
        transfer *= eop_random_range(r, 1.4, 2.5);
        spread = eop_random_range(r, 1.15, 1.5);
    }
    d->volume = clamp(transfer, 0.01, 3) * exp(noise);
    /* A thin deposit loses area before height, a rich one spreads. */
    d->area = pow(d->volume, 0.55) * sqrt(spread) * exp(eop_random_normal(r, 0, 0.025));
    d->height = d->volume / d->area;
    d->offset_x = 100 * p->drift_x_mm / a->x_mm + p->board.shift_x_pct + eop_random_normal(r, 0, 3);
    d->offset_y = 100 * p->drift_y_mm / a->y_mm + p->board.shift_y_pct + eop_random_normal(r, 0, 3);
    d->shape_um = 9 + 14 * fabs(noise) * p->stencil_um / 100 + 22 * (spread - 1) +
                  fabs(eop_random_normal(r, 0, 4));

    double percent = 100 * d->volume;
    double offset = hypot(d->offset_x, d->offset_y);
    double worst =
        fmax(fmax((a->volume_min_pct - percent) / 1.2, (percent - a->volume_max_pct) / 3),
             (offset - a->offset_limit_pct) / 1.2);
    d->bad = eop_random_unit(r) < logistic(worst);
}

/* Fills values; true when the machine's tolerance is broken. */
static bool look(pcb *p, const deposit *d, double *values) {
    eop_random *r = &p->measure;
    const aperture *a = d->aperture;
    double height = d->height * p->stencil_um;
    double area = d->area;
    double shape = d->shape_um + eop_random_normal(r, 0, 1.5);
    if (p->board.warp_um != 0) {
        double u = (d->pad->x_mm - 80) / 80, v = (d->pad->y_mm - 50) / 50;
        double lift = p->board.warp_um * (1 - (u * u + v * v) / 2);
        height += lift;
        shape += fabs(lift) * 0.12;
    }
    double damp = clamp(d->humidity_pct / 45, 0.5, 2);
    if (eop_random_unit(r) < damp / 60) {
        area *= eop_random_unit(r) < 0.65 ? eop_random_range(r, 0.45, 0.75)
                                          : eop_random_range(r, 1.35, 1.8);
        shape += eop_random_range(r, 18, 50);
    }
    height = fmax(0, height + eop_random_normal(r, 0, 1.2));
    area = fmax(0, area * (1 + eop_random_normal(r, 0, 0.01)));
    double volume = area * height / p->stencil_um * (1 + eop_random_normal(r, 0, 0.015));
    volume = fmax(0, volume);
    shape = fmax(0, shape);
    double offset_x = d->offset_x + eop_random_normal(r, 0, 0.8);
    double offset_y = d->offset_y + eop_random_normal(r, 0, 0.8);
    double area_um2 = a->x_mm * a->y_mm * 1e6;
    const double measured[] = {
        rounded(100 * volume, 100),
        rounded(height, 100),
        rounded(100 * area, 100),
        rounded(offset_x, 100),
        rounded(offset_y, 100),
        a->x_mm,
        a->y_mm,
        rounded(volume * area_um2 * p->stencil_um, 1),
        rounded(area * area_um2, 1),
        rounded(shape, 10),
        d->pad->x_mm,
        d->pad->y_mm,
        rounded(d->temp_c + eop_random_normal(r, 0, 0.05), 100),
        rounded(d->humidity_pct + eop_random_normal(r, 0, 0.3), 10),
        rounded(p->board.force_n + eop_random_normal(r, 0, 0.3), 10),
        rounded(p->board.speed_mm_s + eop_random_normal(r, 0, 0.1), 10),
    };
    _Static_assert(EOP_COUNT(measured) == EOP_COUNT(channels), "one value a channel");
    for (size_t i = 0; i < EOP_COUNT(measured); i++) {
        values[i] = measured[i];
    }
    double relative = height / p->stencil_um;
    return volume < 0.6 || volume > 1.5 || relative < 0.6 || relative > 1.5 || area < 0.65 ||
           area > 1.4 || fabs(offset_x) > 25 || fabs(offset_y) > 25 || shape > 45;
}

static void init(void *state, uint64_t seed) {
    pcb *p = state;
    eop_random_init(&p->process, seed, 1);
    eop_random_init(&p->measure, seed, 2);
    eop_random_init(&p->people, seed, 3);
    p->clog = 0.02;
    /* A line that has been running: paste of some age. */
    p->paste_since = -eop_random_range(&p->process, 0, PASTE_LIFE_S);
    p->temp = eop_random_normal(&p->process, 0, 0.7);
    p->humidity = eop_random_normal(&p->process, 0, 3);
}

static void next(void *state, double t, double dt, eop_virtual_step *step) {
    pcb *p = state;
    if (p->next_pad == 0) {
        new_board(p, t);
    }
    deposit d = {.pad = &p->pads[p->next_pad]};
    d.aperture = &apertures[d.pad->kind];
    print_deposit(p, t, dt, &d);
    bool out_of_tolerance = look(p, &d, step->values);
    p->next_pad = (p->next_pad + 1) % PADS;

    int verdict = d.bad ? ERROR : out_of_tolerance ? PSEUDO : OK;
    if (eop_random_unit(&p->people) < (verdict == OK ? 0.001 : 0.02)) {
        verdict = (verdict + 1 + (int)eop_random_below(&p->people, CLASSES - 1)) % CLASSES;
    }
    step->label = classes[verdict];
    step->label_from = t;
    step->label_delay = 20;
    if (eop_random_unit(&p->people) >= 0.7) {
        step->label_delay += fmin(eop_random_exponential(&p->people, 600), 3600);
    }
}

const eop_virtual_kind eop_virtual_pcb = {
    .name = "pcb",
    .asset = "pcb/line-1",
    .rate_hz = 10,
    .rate_min_hz = 0.001,
    .channel_count = EOP_COUNT(channels),
    .channels = channels,
    .units = units,
    .state_size = sizeof(pcb),
    .init = init,
    .next = next,
};
