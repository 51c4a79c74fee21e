"""Logs that are not about training: no progress and no metrics, whatever they look like."""

# ruff: noqa: E501 - lines of logs are as long as they are

from __future__ import annotations

import pytest

from jupyter_training.jobs.progress import LogReader

LOGS = {
    "pip": """
Collecting torch==2.3.0 (from -r requirements.txt (line 3))
  Downloading torch-2.3.0-cp311-cp311-manylinux1_x86_64.whl.metadata (26 kB)
Downloading torch-2.3.0-cp311-cp311-manylinux1_x86_64.whl (779.1 MB)
\r\x1b[?25l     \x1b[90m━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━\x1b[0m \x1b[32m0.0/779.1 MB\x1b[0m \x1b[31m?\x1b[0m eta \x1b[36m-:--:--\x1b[0m
\r     \x1b[91m━━━━━━━━━━━━━━━━\x1b[0m\x1b[90m╺━━━━━━━━━━━━━━━\x1b[0m \x1b[32m382.1/779.1 MB\x1b[0m \x1b[31m45.5 MB/s\x1b[0m eta \x1b[36m0:00:09\x1b[0m
\r     ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 779.1/779.1 MB 45.2 MB/s eta 0:00:00
   ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  3/12 [torch]
Requirement already satisfied: numpy<3,>=1.24 in ./lib/python3.11/site-packages (2.1.0)
  |████████████████████████████████| 779.1 MB 12.3 MB/s eta 0:00:01
Installing collected packages: mpmath, sympy, torch
Successfully installed torch-2.3.0 sympy-1.12
WARNING: Running pip as the 'root' user can result in broken permissions
""",
    "apt": """
Get:1 http://deb.example.org/debian bookworm InRelease [151 kB]
\r0% [Working]\r20% [1 InRelease 5,000 B/151 kB 3%]\r45% [Waiting for headers]
Reading package lists... 0%\rReading package lists... 45%\rReading package lists... Done
Fetched 8,790 kB in 2s (4,395 kB/s)
0 upgraded, 3 newly installed, 0 to remove and 12 not upgraded.
(Reading database ... \r(Reading database ... 5%\r(Reading database ... 100%\r(Reading database ... 12345 files
Progress: [ 45%] [##########..............]
Setting up libc6:amd64 (2.36-9+deb12u4) ...
""",
    "downloads": """
--2026-01-26 10:00:00--  https://example.org/data/train-1/2.tar.gz
Resolving example.org (example.org)... 93.184.216.34, 2606:2800:220:1:248:1893:25c8:1946
HTTP request sent, awaiting response... 200 OK
Length: 170498071 (163M) [application/x-gzip]
     0K .......... .......... .......... .......... ..........  0% 1.21M 2m14s
 83000K .......... .......... .......... .......... .......... 49% 11.2M 7s
\rtrain.tar.gz         45%[========>           ]  73.49M  11.2MB/s    eta 8s
  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
 45  162M   45 73.5M    0     0  11.2M      0  0:00:14  0:00:06  0:00:08 11.5M
Downloading https://example.org/cifar-10-python.tar.gz to ./data
  45%|####5     | 76.7M/170M [00:03<00:04, 21.9MB/s]
  0%|          | 0/170498071 [00:00<?, ?B/s]
 45%|████▌     | 76717056/170498071 [00:03<00:04, 21900000.0B/s]
Downloading: "https://example.org/resnet18.pth" to /home/ada/.cache/torch/hub/checkpoints/resnet18.pth
0.3%\r45.1%\r100.0%
Extracting ./data/MNIST/raw/train-images-idx3-ubyte.gz to ./data/MNIST/raw
""",
    "git": """
Cloning into 'repo'...
remote: Enumerating objects: 1234, done.
remote: Counting objects:  45% (555/1234)\rremote: Counting objects: 100% (1234/1234), done.
Receiving objects:  45% (555/1234), 1.21 MiB | 2.40 MiB/s\rReceiving objects: 100% (1234/1234), done.
Resolving deltas: 100% (456/456), done.
Updating files:  67% (827/1234)
HEAD is now at 3f2a1b0 Set loss weight to 0.5
""",
    "hugging face data sets": """
Downloading readme: 100%|██████████| 7.81k/7.81k [00:00<00:00, 21.2MB/s]
Downloading data:  45%|████▌     | 9.45M/21.0M [00:00<00:00, 40.1MB/s]
train-00000-of-00001.parquet:  45%|████▌     | 9.45M/21.0M [00:00<00:00, 40.1MB/s]
Downloading data files: 100%|██████████| 2/2 [00:02<00:00,  1.05s/it]
Generating train split:  45%|████▌     | 11250/25000 [00:00<00:00, 95000.00 examples/s]
Generating test split: 100%|██████████| 25000/25000 [00:00<00:00, 120000.00 examples/s]
Map:  45%|████▌     | 11250/25000 [00:05<00:06, 2100.00 examples/s]
Map (num_proc=4): 100%|██████████| 25000/25000 [00:05<00:00, 4100.00 examples/s]
Filter: 100%|██████████| 25000/25000 [00:05<00:00, 4100.00 examples/s]
Tokenizing train dataset:  45%|████▌     | 11250/25000 [00:05<00:06, 2100.00 examples/s]
Running tokenizer on dataset:  45%|████▌     | 45/100 [00:05<00:06, 2.10ba/s]
Saving the dataset (1/3 shards):  33%|███▎      | 8334/25000 [00:00<00:00, 500000.00 examples/s]
Loading checkpoint shards:  50%|█████     | 1/2 [00:01<00:01,  1.05s/it]
Fetching 4 files:  50%|█████     | 2/4 [00:01<00:01,  1.05it/s]
tokenizer_config.json: 100%|██████████| 48.0/48.0 [00:00<00:00, 9.9kB/s]
train: Scanning /data/labels/train2017.cache... 126 images, 2 backgrounds: 100%|██████████| 128/128 [00:00<?, ?it/s]
val: Scanning /data/labels/val2017... 45 images, 0 backgrounds:  45%|####5     | 45/100 [00:00<00:00, 900.0it/s]
train: Caching images (0.1GB RAM):  45%|####5     | 45/100 [00:00<00:00, 900.0it/s]
""",
    "validation": """
Validation:  45%|####5     | 45/100 [00:10<00:12,  4.50it/s]
Validating: 100%|##########| 100/100 [00:10<00:00,  4.50it/s]
Testing:  45%|####5     | 45/100 [00:10<00:12,  4.50it/s]
Evaluating:  45%|####5     | 45/100 [00:10<00:12,  4.50it/s]
Sanity Checking DataLoader 0:  50%|#####     | 1/2 [00:00<00:00,  4.50it/s]
Predicting DataLoader 0:  50%|#####     | 1/2 [00:00<00:00,  4.50it/s]
Test: [ 10/196]  Time 0.1 (0.2)
Val: [ 10/196]
""",
    "docker": """
Sending build context to Docker daemon  45.06kB
Step 1/7 : FROM python:3.11-slim
Step 2/7 : RUN pip install torch==2.3.0
 ---> Running in 3f2a1b0c4d5e
#5 [2/4] RUN apt-get update
#5 12.3 Fetched 8,790 kB in 2s (4,395 kB/s)
 => [internal] load metadata for docker.io/library/python:3.11             1.2s
3.11-slim: Pulling from library/python
a2abf6c4d29d: Downloading [=======>            ]  12.3MB/29.1MB
a2abf6c4d29d: Pull complete
Digest: sha256:0a1b2c3d4e5f
""",
    "pytest": """
============================= test session starts ==============================
platform linux -- Python 3.11.7, pytest-8.2.0, pluggy-1.5.0
collected 42 items
tests/test_train.py ..........................                           [ 61%]
tests/test_loss.py::test_loss[0.5] PASSED                                [ 64%]
E       assert loss == 0.5
E       AssertionError: assert 0.25 == 0.5 ± 5.0e-07
TOTAL                                  1234    123    90%
======================== 41 passed, 1 failed in 12.34s =========================
""",
    "builds": """
[ 45%] Building CXX object src/CMakeFiles/loss.dir/loss.cpp.o
[40/200] Building CXX object foo.o
[1/4] Resolving packages...
make[1]: Entering directory '/src/step 1/2'
ninja: job failed: exit 1
Compiling serde v1.0.197 (3/45)
""",
    "nvidia-smi": """
Mon Jan 26 10:00:00 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.54.15              Driver Version: 550.54.15      CUDA Version: 12.4     |
|   0  NVIDIA A100-SXM4-40GB          On  |   00000000:07:00.0 Off |                    0 |
| N/A   33C    P0             54W /  400W |    1234MiB /  40960MiB |     45%      Default |
|    0   N/A  N/A      1234      C   python                                     1228MiB |
GPU memory 45%
GPU 0: 45% 33C 1234/40960 MB
""",
    "warnings and errors": """
/usr/lib/python3.11/site-packages/torch/nn/functional.py:1234: UserWarning: reduction: 'mean' divides by 0.5
  warnings.warn("loss 0.5 is deprecated since 1.2")
Traceback (most recent call last):
  File "/home/ada/train.py", line 45, in <module>
    loss = 0.5 * step(3, 10)
RuntimeError: CUDA out of memory. Tried to allocate 1.95 GiB (GPU 0; 39.59 GiB total capacity; 37.45 GiB already allocated)
ValueError: operands could not be broadcast together with shapes (3,10) (4,10)
E0126 10:00:00.123456 139 cuda_dnn.cc:8310] Unable to register cuDNN factory
I tensorflow/core/platform/cpu_feature_guard.cc:182] This TensorFlow binary is optimized
error: 404.5 is not a number
Exit code 1/2
""",
    "services": """
INFO:     127.0.0.1:54321 - "GET /api/step/3/10 HTTP/1.1" 200 OK
[2026-01-26 10:00:00 +0000] [12345] [INFO] Listening at: http://0.0.0.0:8000 (12345)
192.168.1.3/24 dev eth0
Serving on http://10.0.0.1:8888/?token=0.5
{"level": "info", "ts": 1706263200.123, "msg": "request", "status": 200, "duration": 0.5}
{"time": "2026-01-26T10:00:00Z", "cpu": 0.45, "memory": 0.81, "host": "a"}
python 3.11/3.12
version: 1.2.3, build: 4.5
12/16 workers are up
2026/01/26 10:00:00 begun
reading /data/3/10/images
Accuracy of the clock: 3/10
100 files copied (45%)
disk usage: 45%
 45% /dev/sda1
load average: 0.45, 0.81, 0.90
return code: 0
""",
    "settings": """
Namespace(batch_size=64, test_batch_size=1000, epochs=14, lr=1.0, gamma=0.7, seed=1, log_interval=10)
epochs: 10
lr: 0.001
batch_size: 32
weight_decay = 0.01
{"lr": 0.1, "batch_size": 32, "epochs": 10}
Model summary: 214 layers, 7235389 parameters, 7235389 gradients, 16.6 GFLOPs
Total params: 1,234,567 (4.71 MB)
optimizer: SGD(lr=0.01) with parameter groups 57 weight(decay=0.0), 60 weight(decay=0.0005)
Train samples: 60000, test samples: 10000
***** Running training *****
  Num examples = 1,000
  Num Epochs = 3
  Total optimization steps = 375
[LightGBM] [Info] Start training from score 0.460000
[LightGBM] [Info] Number of data points in the train set: 200, number of used features: 5
""",
}


@pytest.mark.parametrize("name", LOGS)
def test_nothing_is_read_from(name: str) -> None:
    reader = LogReader()
    for line in LOGS[name].replace("\r", "\n").split("\n"):
        points = reader.feed(line.encode() + b"\n")
        assert (line, points, reader.progress) == (line, [], None)


def test_a_training_is_not_disturbed() -> None:
    reader = LogReader()
    reader.feed(b"Epoch 3/10 - loss: 0.5\n")
    for log in LOGS.values():
        reader.feed(log.encode())
    assert reader.progress == 30


def test_after_a_second_training_has_begun_nobody_knows_how_many_there_are() -> None:
    reader = LogReader()
    reader.feed(b"".join(b"Epoch %d/3 - loss: 0.5\n" % epoch for epoch in (1, 2, 3)))
    assert reader.percent == 99
    reader.feed(b"Epoch 1/3 - loss: 0.5\nEpoch 2/3 - loss: 0.5\n")
    assert reader.percent is None


def test_folds_count_trainings() -> None:
    reader = LogReader()
    reader.feed(b"Fold 1/2\nEpoch 3/3 - loss: 0.5\n")
    assert reader.progress == 50
    reader.feed(b"Fold 2/2\nEpoch 1/3 - loss: 0.5\nEpoch 2/3\n100/200 [=====>....] - loss: 0.1\n")
    assert reader.progress == 75


def test_processes_that_are_a_little_behind_change_nothing() -> None:
    reader = LogReader()
    for at in (40, 39, 41, 40):
        reader.feed(b" %d%%|####      | %d/100 [00:10<00:12,  4.50it/s]\n" % (at, at))
    reader.feed(b"[rank1]: Epoch 2/10\n[rank0]: Epoch 3/10\n[rank1]: Epoch 2/10\n")
    assert reader.progress == 20
