"""One run per folder."""

import subprocess
import sys

from tests.conftest import REPOSITORY
from utils.errors import UserError
from utils.folder_lock import FolderLock

HOLD = "import sys; sys.path.insert(0, sys.argv[1]); from utils.folder_lock import FolderLock; "
HOLD += "lock = FolderLock(sys.argv[2]); print(lock.acquire(), flush=True); sys.stdin.read()"


def test_a_folder_has_one_run_until_its_process_ends_however_it_ends(tmp_path):
    command = [sys.executable, "-c", HOLD, str(REPOSITORY), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "True\n"
        lock = FolderLock(tmp_path)
        assert not lock.acquire()
        assert f"is in use: process {holder.pid} on " in str(lock.refusal())
        assert isinstance(lock.refusal(), UserError)
        holder.kill()
        holder.wait()
        again = FolderLock(tmp_path)
        assert again.acquire()
        again.release()
