/* The verb `sworn doctor`: prints what probe.h finds. For the verb table only. */
#ifndef SWORN_SANDBOX_DOCTOR_H
#define SWORN_SANDBOX_DOCTOR_H

int cmd_doctor(int argc, char **argv);

#endif
