/**
 * What those say who run jobs: this machine, a Docker engine, a cluster.
 *
 * What an engine or a cluster itself has said stays as it is.
 */
import {
  count,
  type IRule,
  name,
  number,
  type Place,
  read,
  rule,
  sentence
} from './rules';

/** One word, such as the name of a cluster, so that a rule takes no more of a sentence for it. */
const word: Place = text => (/^\S+$/.test(text) ? text : null);

const NODE: readonly IRule[] = [
  rule(trans => trans.__('the node')),
  rule((_, one) => one, word)
];

const node: Place = (text, trans) => read(NODE, text, trans);

const SILENCE: readonly IRule[] = [rule(trans => trans.__('it says nothing'))];

const said: Place = (text, trans) => read(SILENCE, text, trans) ?? text;

/** Why Slurm does not begin a job yet, where time alone does not change it. */
const WAITS: readonly IRule[] = [
  rule((trans, why) =>
    trans.__(
      'PENDING (%1): its partition does not give so much time; ask for less with --time-limit, or for another --partition',
      why
    )
  ),
  rule((trans, why) =>
    trans.__(
      'PENDING (%1): its partition does not give so many nodes; ask for fewer with --nodes, or for another --partition',
      why
    )
  ),
  rule((trans, why) =>
    trans.__(
      'PENDING (%1): no node of its partition has at the moment what it asks for; ask for less, or for another --partition',
      why
    )
  ),
  rule((trans, why) =>
    trans.__('PENDING (%1): its partition begins no jobs at the moment', why)
  ),
  rule((trans, why) =>
    trans.__('PENDING (%1): its partition takes no jobs at the moment', why)
  ),
  rule((trans, why, job) =>
    trans.__(
      'PENDING (%1): somebody holds it back; scontrol release %2 lets it go',
      why,
      job
    )
  ),
  rule((trans, why) =>
    trans.__('PENDING (%1): an administrator holds it back', why)
  ),
  rule((trans, why) =>
    trans.__(
      'PENDING (%1): nodes that it needs are down, drained or reserved',
      why
    )
  ),
  rule((trans, why) =>
    trans.__('PENDING (%1): its account has reached a limit', why)
  ),
  rule((trans, why) =>
    trans.__('PENDING (%1): its quality of service has reached a limit', why)
  )
];

const LACKS: readonly IRule[] = [
  rule(trans => trans.__('all that it asks for')),
  rule((trans, type) => trans.__('GPUs of type %1', type)),
  rule((trans, labels) => trans.__('the labels %1', labels)),
  rule(
    (trans, amount, most) => trans.__('%1, the largest has %2', amount, most),
    count,
    number
  ),
  rule(
    (trans, amount, most) => trans.__('%1, the most is %2', amount, most),
    word,
    number
  )
];

const lack: Place = (text, trans) => read(LACKS, text, trans);

/** `3 nodes of Ray at the same time, or at least 2`. */
const OF_RAY: readonly IRule[] = [
  rule(
    (trans, most) =>
      trans.__('waits for %1 nodes of Ray at the same time', most),
    number
  ),
  rule(
    (trans, most, least) =>
      trans.__(
        'waits for %1 nodes of Ray at the same time, or at least %2',
        most,
        least
      ),
    number,
    number
  )
];

const ofRay: Place = (text, trans) => read(OF_RAY, text, trans);

const CLUSTERS: readonly IRule[] = [
  rule(trans =>
    trans.__('COMPLETING: it did not begin, and Slurm clears up behind it')
  ),
  rule(
    (trans, what) =>
      trans.__(
        'PENDING (no node of Ray has %1): ask for less, or add such a node',
        what
      ),
    lack
  ),
  rule(trans =>
    trans.__(
      'PENDING (It may be waiting for resources (CPUs, GPUs, memory, custom resources) to become available)'
    )
  ),
  ...OF_RAY,
  rule(
    (trans, waits, few) =>
      trans.__(
        '%1, but it has only %2: ask for fewer, or add nodes',
        waits,
        few
      ),
    ofRay,
    number
  ),
  rule(
    (trans, waits, few, all) =>
      trans.__(
        '%1, but only %2 of its %3 nodes could hold one: ask for less, or add such nodes',
        waits,
        few,
        all
      ),
    ofRay,
    number,
    number
  ),
  rule(trans =>
    trans.__(
      'PENDING (is submitted again, as Ray has given up waiting for resources)'
    )
  ),
  rule((trans, why) => trans.__('waits to be submitted: %1', why), sentence),
  rule(
    (trans, cluster, why) => trans.__('%1 does not take it: %2', cluster, why),
    word,
    name
  ),
  rule(trans => trans.__('it was given up before it was started')),
  rule(trans =>
    trans.__('Ray does not know its job any more: it was restarted')
  ),
  rule(
    (trans, cluster) => trans.__('%1 does not know its job any more', cluster),
    word
  ),
  rule((trans, cluster) => trans.__('%1 does not know its job', cluster), word),
  rule(
    (trans, job) => trans.__('Slurm has put job %1 back into its queue', job),
    word
  ),
  rule((trans, job) => trans.__('Slurm has preempted job %1', job), word),
  rule(
    (trans, job) =>
      trans.__(
        'it ran for the time that Slurm gave job %1: ask for more time with --time-limit',
        job
      ),
    word
  ),
  rule(trans =>
    trans.__(
      'it ran for the time that Slurm gave it: ask for more time with --time-limit'
    )
  ),
  rule(
    (trans, job) =>
      trans.__(
        "the deadline of Slurm's job %1 has come: ask for more time with --time-limit",
        job
      ),
    word
  ),
  rule(
    (trans, job) =>
      trans.__(
        'killed by Slurm at the memory of job %1: ask for more memory with --memory',
        job
      ),
    word
  ),
  rule(
    (trans, cluster, job) =>
      trans.__('cancelled by somebody in %1 (job %2)', cluster, job),
    word,
    word
  ),
  rule(
    (trans, where, job, state) =>
      trans.__("%1, Slurm's job %2 is %3", where, job, state),
    word,
    word
  ),
  rule(
    (trans, job, state) => trans.__("Slurm's job %1 is %2", job, state),
    word
  ),
  rule(
    (trans, where, job) =>
      trans.__(
        '%1 could not begin it, and Slurm has cancelled job %2',
        where,
        job
      ),
    node,
    word
  ),
  rule(
    (trans, where, code) =>
      trans.__('%1 could not begin it (exit code %2)', where, code),
    node,
    number
  ),
  rule(
    (trans, where, code, why) =>
      trans.__('%1 could not begin it (exit code %2): %3', where, code, why),
    node,
    number
  ),
  rule((trans, why) =>
    trans.__(
      'no nodes of Slurm that it may run on have what it asks for (%1); ask for less, or for another --partition',
      why
    )
  ),
  rule(
    (trans, where, directory, cluster) =>
      trans.__(
        '%1 does not see %2: jobs on %3 need a directory that all nodes share; set c.TrainingApp.data_dir to one',
        where,
        directory,
        cluster
      ),
    node
  ),
  rule(
    (trans, where, python, cluster) =>
      trans.__(
        '%1 has no %2: put the environment where all nodes see it, or set c.%3.python to an interpreter that they have',
        where,
        python,
        cluster
      ),
    node
  ),
  rule(
    (trans, job, why) =>
      trans.__('Ray has lost the node of job %1 (%2)', job, why),
    word
  ),
  rule(
    (trans, job, state, code, why) =>
      trans.__(
        "Ray's job %1 ended as %2, exit code %3: %4",
        job,
        state,
        code,
        why
      ),
    word,
    word,
    number,
    said
  ),
  rule(
    (trans, job, state, why) =>
      trans.__("Ray's job %1 ended as %2: %3", job, state, why),
    word,
    word,
    said
  ),
  rule((trans, why) => trans.__('Slurm does not answer: %1', why)),
  rule((trans, what) => trans.__('Slurm says nothing (%1)', what), word),
  rule(
    (trans, where, why) =>
      trans.__('slurmrestd at %1 does not answer: %2', where, why),
    word
  ),
  rule(
    (trans, where, why) =>
      trans.__('Ray does not answer at %1: %2', where, why),
    word
  ),
  rule(
    (trans, where, theirs, ours, how) =>
      trans.__(
        'the Ray cluster at %1 is of version %2, and this server has Ray %3, which cannot speak to it: %4, and start this server again',
        where,
        theirs,
        ours,
        how
      ),
    word,
    word,
    word
  )
];

const MACHINES: readonly IRule[] = [
  rule(trans => trans.__('the server ended before the job was started')),
  rule(trans => trans.__('its supervisor was killed')),
  rule(trans => trans.__('the records of its supervisor were damaged')),
  rule(trans =>
    trans.__('it was told to stop, as happens when a machine is shut down')
  )
];

const CONTAINERS: readonly IRule[] = [
  rule(
    (trans, image, why) =>
      trans.__(
        'pulling the image %1 failed and is tried again: %2',
        image,
        why
      ),
    word
  ),
  rule(
    (trans, image, here, all, got, total) =>
      trans.__(
        'pulling the image %1: %2 of %3 layers, %4 of %5 MB downloaded',
        image,
        here,
        all,
        got,
        total
      ),
    word,
    number,
    number,
    number,
    number
  ),
  rule(
    (trans, image, here, all) =>
      trans.__('pulling the image %1: %2 of %3 layers', image, here, all),
    word,
    number,
    number
  ),
  rule((trans, image) => trans.__('pulling the image %1', image), word),
  rule((trans, image) => trans.__('the image %1 is here', image), word),
  rule(trans => trans.__('it was to end before it was started')),
  rule(trans => trans.__('its container was removed by somebody')),
  rule(trans => trans.__('the record of its container was damaged')),
  rule(trans =>
    trans.__('the Docker engine was stopped or restarted, and ended it')
  ),
  rule((trans, why) => trans.__('no container can be run: %1', why), sentence),
  rule(
    (trans, where) => trans.__('the Docker engine at %1 is silent', where),
    word
  ),
  rule(
    (trans, where, why) =>
      trans.__(
        'the Docker engine at %1 does not answer (%2); if it stays so, start it, for example with: systemctl start docker',
        where,
        why
      ),
    word
  ),
  rule(
    (trans, where, why) =>
      trans.__('the Docker engine at %1 does not answer (%2)', where, why),
    word
  ),
  rule(
    (trans, where) =>
      trans.__(
        'this server may not use the Docker engine at %1; add its user to the group docker, and start the server again',
        where
      ),
    word
  ),
  rule((trans, why, how) =>
    trans.__(
      'the Python package docker is missing (%1); install it with: %2',
      why,
      how
    )
  ),
  rule(
    (trans, container) =>
      trans.__(
        'there is a container %1 that is not ours; remove it',
        container
      ),
    word
  ),
  rule((trans, why) =>
    trans.__(
      'the Docker engine cannot give GPUs to containers; install the NVIDIA Container Toolkit on its machine, run `nvidia-ctk runtime configure --runtime=docker` and restart the engine (%1)',
      why
    )
  )
];

export const EXECUTORS: readonly IRule[] = [
  ...WAITS,
  ...CLUSTERS,
  ...MACHINES,
  ...CONTAINERS
];
