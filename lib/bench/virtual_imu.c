/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual asset "imu": inertial sensors on both wrists of one worker, by default 50 samples a
 * second. Channels l_ and r_: acc_x/y/z in m/s2 (specific force: gravity included, so that a wrist
 * at rest shows 9.81), gyro_x/y/z in rad/s. One seed is one person.
 *
 * Person, drawn from the seed: right-handed with 85 %; rhythm of hammering 1.8 +- 0.25 Hz, screwing
 * 0.9 +- 0.12 Hz, sawing 1.3 +- 0.2 Hz; amplitudes 1 +- 0.15 of the model's; forearm length 0.26 +-
 * 0.02 m; how the sensor sits on each wrist (roll, pitch +- 0.15 rad); bias and noise of the
 * sensors.
 *
 * Motion. A wrist's attitude is roll, pitch and yaw over time; turn rates follow from their
 * derivatives by the Euler kinematics, gravity is turned into the sensor, and linear acceleration
 * in the sensor's axes comes on top: hammering  pitch swings 0.75 rad, quick down and slow up;
 * tangential and centripetal acceleration of the forearm; at the blow a shock of 60 m/s2 that rings
 * at 14 Hz and dies in 35 ms. The other hand holds: a tenth of the shock. screwing   roll twists by
 * 0.9 rad, quicker forth than back. The other hand holds, nearly still. sawing     0.22 m forth and
 * back along the forearm, pitch rocks 0.12 rad. The other hand feels the vibration of the blade.
 *   idle       both hands sink and sway slowly; a gesture now and then.
 * Each activity lasts 6..20 s; from one to the next the motion is blended over 0.8..1.6 s. In half
 * of the bouts the tool rests once for 0.8..2.5 s: the observer does not part that from the
 * activity.
 *
 * Labels: an interval for each activity without the blends, given by the observer 5 s after its
 * end. Noise: acceleration 0.12 m/s2, turn rate 0.015 rad/s (1 sigma); range +-16 g, +-2,000 deg/s.
 */
#include <math.h>

#include "base/compiler.h"
#include "bench/virtual.h"

#define G            9.80665
#define ACC_RANGE    (16 * G)
#define GYRO_RANGE   (2000 * EOP_PI / 180)
#define DERIVATIVE_S 0.001

enum { HAMMERING, SCREWING, SAWING, IDLE, ACTIVITIES };
static const char *const activities[ACTIVITIES] = {"hammering", "screwing", "sawing", "idle"};
enum { LEFT, RIGHT, HANDS };

/* clang-format off */
static const char *const channels[] = {
    "l_acc_x", "l_acc_y", "l_acc_z", "l_gyro_x", "l_gyro_y", "l_gyro_z",
    "r_acc_x", "r_acc_y", "r_acc_z", "r_gyro_x", "r_gyro_y", "r_gyro_z",
};
static const char *const units[] = {
    "m/s2", "m/s2", "m/s2", "rad/s", "rad/s", "rad/s",
    "m/s2", "m/s2", "m/s2", "rad/s", "rad/s", "rad/s",
};
/* clang-format on */
_Static_assert(EOP_COUNT(channels) == EOP_COUNT(units), "one unit a channel");

typedef struct vec3 {
    double x, y, z;
} vec3;

/* Attitude (rad) and linear acceleration (m/s2) of one wrist at one instant. */
typedef struct pose {
    double roll, pitch, yaw;
    vec3 linear;
} pose;

/* One stretch of one activity. */
typedef struct bout {
    int activity;
    double from, to; /* s; without the blends at its ends */
    double rhythm_hz, size, phase;
    double sway[HANDS]; /* phases of the slow movements */
    double gesture_at;  /* s, idle only */
    double rest_from, rest_to;
} bout;

typedef struct imu {
    eop_random plan, noise;
    int skilled; /* hand */
    double rhythm_hz[ACTIVITIES], size[ACTIVITIES];
    double forearm_m;
    pose mount[HANDS]; /* angles only */
    vec3 acc_bias[HANDS], gyro_bias[HANDS];
    bout now, then; /* `then` follows */
} imu;

static void plan_bout(imu *m, bout *b, double from, int last) {
    eop_random *r = &m->plan;
    b->activity = (int)eop_random_below(r, ACTIVITIES - (last >= 0));
    b->activity += last >= 0 && b->activity >= last; /* never twice the same */
    b->from = from;
    b->to = from + eop_random_range(r, 6, 20);
    b->rhythm_hz = m->rhythm_hz[b->activity] * eop_random_range(r, 0.93, 1.07);
    b->size = m->size[b->activity] * eop_random_range(r, 0.9, 1.1);
    b->phase = eop_random_range(r, 0, 1);
    b->sway[LEFT] = eop_random_range(r, 0, 2 * EOP_PI);
    b->sway[RIGHT] = eop_random_range(r, 0, 2 * EOP_PI);
    b->gesture_at = from + eop_random_range(r, 1, 15);
    bool rests = eop_random_unit(r) < 0.5;
    b->rest_from = from + eop_random_range(r, 1, 15);
    b->rest_to = b->rest_from + (rests ? eop_random_range(r, 0.8, 2.5) : 0);
}

static void init(void *state, uint64_t seed) {
    imu *m = state;
    eop_random person;
    eop_random_init(&person, seed, 1);
    eop_random_init(&m->plan, seed, 2);
    eop_random_init(&m->noise, seed, 3);
    m->skilled = eop_random_unit(&person) < 0.85 ? RIGHT : LEFT;
    static const double rhythm[ACTIVITIES] = {1.8, 0.9, 1.3, 0.25};
    static const double rhythm_sd[ACTIVITIES] = {0.25, 0.12, 0.2, 0.03};
    for (int i = 0; i < ACTIVITIES; i++) {
        double z = eop_random_normal(&person, 0, 1);
        m->rhythm_hz[i] = rhythm[i] + rhythm_sd[i] * fmax(-2, fmin(2, z));
        m->size[i] = fmax(0.6, fmin(1.4, eop_random_normal(&person, 1, 0.15)));
    }
    m->forearm_m = eop_random_normal(&person, 0.26, 0.02);
    for (int hand = 0; hand < HANDS; hand++) {
        m->mount[hand].roll = eop_random_range(&person, -0.15, 0.15);
        m->mount[hand].pitch = eop_random_range(&person, -0.15, 0.15);
        double *bias[] = {&m->acc_bias[hand].x,  &m->acc_bias[hand].y,  &m->acc_bias[hand].z,
                          &m->gyro_bias[hand].x, &m->gyro_bias[hand].y, &m->gyro_bias[hand].z};
        for (size_t i = 0; i < EOP_COUNT(bias); i++) {
            *bias[i] = eop_random_normal(&person, 0, i < 3 ? 0.06 : 0.01);
        }
    }
    plan_bout(m, &m->now, 0, -1);
    plan_bout(m, &m->then, m->now.to + eop_random_range(&m->plan, 0.8, 1.6), m->now.activity);
}

/* Phase in 0..1 bent so that the first half takes `quick` of the period. */
static double bent(double phase, double quick) {
    double u = phase - floor(phase);
    return u < quick ? u / quick / 2 : 0.5 + (u - quick) / (1 - quick) / 2;
}

static double shock(double since_s) {
    return since_s < 0 || since_s > 0.4 ? 0
                                        : exp(-since_s / 0.035) * cos(2 * EOP_PI * 14 * since_s);
}

static pose sway(double t, double phase, double size) {
    return (pose){
        .roll = size * 0.05 * sin(2 * EOP_PI * 0.23 * t + phase),
        .pitch = size * 0.06 * sin(2 * EOP_PI * 0.17 * t + 2 * phase),
        .yaw = size * 0.08 * sin(2 * EOP_PI * 0.11 * t + 3 * phase),
        .linear = {size * 0.08 * sin(2 * EOP_PI * 0.27 * t + phase),
                   size * 0.05 * sin(2 * EOP_PI * 0.31 * t + phase), 0},
    };
}

static pose hammering(const imu *m, const bout *b, bool skilled, double t, pose p) {
    double phase = b->phase + t * b->rhythm_hz;
    double since_blow = (phase - 0.35 - floor(phase - 0.35)) / b->rhythm_hz;
    double blow = 60 * b->size * shock(since_blow);
    if (!skilled) {
        p.pitch += 0.25;
        p.linear.z += 0.1 * blow;
        return p;
    }
    /* Raised at u = 0, down at u = 0.5: quick down, slow up. */
    double u = bent(phase, 0.35);
    double omega = 2 * EOP_PI * b->rhythm_hz, swing = 0.75 * b->size;
    p.pitch += 0.35 + swing * cos(2 * EOP_PI * u) / 2;
    p.yaw += 0.08 * sin(2 * EOP_PI * u);
    double rate = swing / 2 * omega * sin(2 * EOP_PI * u);
    p.linear.x += m->forearm_m * rate * rate;
    p.linear.z += m->forearm_m * swing / 2 * omega * omega * cos(2 * EOP_PI * u) + blow;
    return p;
}

static pose screwing(const bout *b, bool skilled, double t, pose p) {
    if (!skilled) {
        p.roll += 0.4;
        return p;
    }
    double u = bent(b->phase + t * b->rhythm_hz, 0.4);
    p.roll += 0.9 * b->size * cos(2 * EOP_PI * u) / 2 + 0.2;
    p.pitch += -0.3;
    p.linear.x += 0.5 * sin(2 * EOP_PI * u); /* leaning on the screw */
    return p;
}

static pose sawing(const bout *b, bool skilled, double t, pose p) {
    double omega = 2 * EOP_PI * b->rhythm_hz;
    double angle = omega * t + 2 * EOP_PI * b->phase;
    double blade = 1.2 * sin(2 * EOP_PI * 17 * t) * fabs(cos(angle));
    if (!skilled) {
        p.pitch += -0.2;
        p.linear.y += 0.6 * blade;
        return p;
    }
    p.pitch += -0.15 + 0.12 * b->size * sin(angle);
    p.linear.x += 0.11 * b->size * omega * omega * sin(angle);
    p.linear.y += blade;
    return p;
}

static pose idle(const bout *b, double t, pose p) {
    double gesture = (t - b->gesture_at) / 0.6;
    p.pitch += -0.9 + 0.35 * b->size * exp(-gesture * gesture);
    return p;
}

static double mix(double a, double b, double w) {
    return a + (b - a) * w;
}

static pose blend(pose p, pose q, double w) {
    w = w * w * (3 - 2 * w);
    return (pose){
        .roll = mix(p.roll, q.roll, w),
        .pitch = mix(p.pitch, q.pitch, w),
        .yaw = mix(p.yaw, q.yaw, w),
        .linear = {mix(p.linear.x, q.linear.x, w), mix(p.linear.y, q.linear.y, w),
                   mix(p.linear.z, q.linear.z, w)},
    };
}

/* How much the tool rests, 0..1, with ramps of 0.25 s. */
static double resting(const bout *b, double t) {
    double in = fmin((t - b->rest_from) / 0.25, (b->rest_to - t) / 0.25);
    return b->rest_to > b->rest_from ? fmax(0, fmin(1, in)) : 0;
}

static pose pose_in(const imu *m, const bout *b, int hand, double t) {
    bool skilled = hand == m->skilled;
    pose still = sway(t, b->sway[hand], b->activity == IDLE ? 1.6 : 1);
    pose p = still;
    switch (b->activity) {
    case HAMMERING:
        p = hammering(m, b, skilled, t, p);
        break;
    case SCREWING:
        p = screwing(b, skilled, t, p);
        break;
    case SAWING:
        p = sawing(b, skilled, t, p);
        break;
    default:
        return idle(b, t, p);
    }
    return blend(p, still, resting(b, t));
}

/* The wrist at t, blended where one activity goes over into the next. */
static pose pose_at(const imu *m, int hand, double t) {
    pose p = pose_in(m, &m->now, hand, t);
    if (t > m->now.to) {
        double w = fmin(1, (t - m->now.to) / (m->then.from - m->now.to));
        p = blend(p, pose_in(m, &m->then, hand, t), w);
    }
    p.roll += m->mount[hand].roll;
    p.pitch += m->mount[hand].pitch;
    return p;
}

/* steps: of the converter in one unit; a division gives the decimal that is meant. */
static double sensed(eop_random *r, double x, double noise, double range, double steps) {
    x += eop_random_normal(r, 0, noise);
    return nearbyint(fmax(-range, fmin(range, x)) * steps) / steps;
}

static void sense(imu *m, int hand, double t, double *out) {
    pose p = pose_at(m, hand, t);
    pose a = pose_at(m, hand, t - DERIVATIVE_S), b = pose_at(m, hand, t + DERIVATIVE_S);
    double roll = (b.roll - a.roll) / (2 * DERIVATIVE_S);
    double pitch = (b.pitch - a.pitch) / (2 * DERIVATIVE_S);
    double yaw = (b.yaw - a.yaw) / (2 * DERIVATIVE_S);
    double sr = sin(p.roll), cr = cos(p.roll), sp = sin(p.pitch), cp = cos(p.pitch);
    vec3 rate = {roll - yaw * sp, pitch * cr + yaw * sr * cp, -pitch * sr + yaw * cr * cp};
    vec3 force = {-G * sp + p.linear.x, G * sr * cp + p.linear.y, G * cr * cp + p.linear.z};
    vec3 ab = m->acc_bias[hand], gb = m->gyro_bias[hand];
    eop_random *r = &m->noise;
    out[0] = sensed(r, force.x + ab.x, 0.12, ACC_RANGE, 1e3);
    out[1] = sensed(r, force.y + ab.y, 0.12, ACC_RANGE, 1e3);
    out[2] = sensed(r, force.z + ab.z, 0.12, ACC_RANGE, 1e3);
    out[3] = sensed(r, rate.x + gb.x, 0.015, GYRO_RANGE, 1e4);
    out[4] = sensed(r, rate.y + gb.y, 0.015, GYRO_RANGE, 1e4);
    out[5] = sensed(r, rate.z + gb.z, 0.015, GYRO_RANGE, 1e4);
}

static void next(void *state, double t, double dt, eop_virtual_step *step) {
    (void)dt;
    imu *m = state;
    if (t >= m->then.from) {
        step->label = activities[m->now.activity];
        step->label_from = m->now.from;
        step->label_to = m->now.to;
        /* The end lies back by the blend. */
        step->label_delay = 5;
        m->now = m->then;
        plan_bout(m, &m->then, m->now.to + eop_random_range(&m->plan, 0.8, 1.6), m->now.activity);
    }
    sense(m, LEFT, t, step->values);
    sense(m, RIGHT, t, step->values + 6);
}

const eop_virtual_kind eop_virtual_imu = {
    .name = "imu",
    .asset = "imu/worker-1",
    .rate_hz = 50,
    .rate_min_hz = 5,
    .channel_count = EOP_COUNT(channels),
    .channels = channels,
    .units = units,
    .state_size = sizeof(imu),
    .init = init,
    .next = next,
};
