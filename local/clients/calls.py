"""Makes every call of both versions of the API through the generated clients. Usage: calls.py URL"""

import http.client
import sys
import time
import urllib.parse
import urllib.request
import uuid

import v1.models as m1
import v2.models as m2
from v1 import Client as Client1
from v1.api.bakta_jobs import delete as delete1
from v1.api.bakta_jobs import delete2 as delete_old1
from v1.api.bakta_jobs import init_job as init1
from v1.api.bakta_jobs import job_result as result1
from v1.api.bakta_jobs import jobs_status as list1
from v1.api.bakta_jobs import logs as logs1
from v1.api.bakta_jobs import start_job as start1
from v1.api.bakta_jobs import version as version1
from v2 import Client as Client2
from v2.api.bakta_jobs import access as access2
from v2.api.bakta_jobs import delete as delete2
from v2.api.bakta_jobs import init_job as init2
from v2.api.bakta_jobs import job_result as result2
from v2.api.bakta_jobs import jobs_status as list2
from v2.api.bakta_jobs import list_jobs as own2
from v2.api.bakta_jobs import logs as logs2
from v2.api.bakta_jobs import rerun_job as rerun2
from v2.api.bakta_jobs import start_job as start2
from v2.api.bakta_jobs import submit_job as submit2
from v2.api.bakta_jobs import version as version2
from v2.api.bakta_jobs import workflows as workflows2

GENOME = b">contig\n" + b"ATGAAACGCATTAGCACCACCATTACCACCACCATCACCATTACCACAGGTAACGGTGCGGGCTGA" * 10 + b"\n"
WAIT = 120  # seconds for a job that the stand-in runs


def upload(url: str, content: bytes) -> None:
    with urllib.request.urlopen(urllib.request.Request(url, data=content, method="PUT")) as answer:
        assert answer.status == 200


def first_version(url: str) -> None:
    client = Client1(base_url=url)
    version = version1.sync(client=client)
    assert isinstance(version, m1.VersionResponse) and version.backend_version

    made = init1.sync(client=client, body=m1.InitJobRequest(name="a client", replicon_table_type=m1.RepliconTableType.TSV))
    assert isinstance(made, m1.InitJobResponse)
    upload(made.upload_link_fasta, GENOME)
    early = result1.sync_detailed(client=client, body=made.job)
    assert early.status_code == 400 and isinstance(early.parsed, m1.Error) and early.parsed.code == 9

    config = m1.JobConfig(genus="Escherichia", derm_type=m1.DermType.DIDERM, translation_table=m1.JobConfigTranslationTableType0.VALUE_11,
                          strain=None, min_contig_length="", complete_genome=False)
    started = start1.sync(client=client, body=m1.StartJobRequest(job=made.job, config=config))
    assert isinstance(started, m1.Empty)

    end = time.monotonic() + WAIT
    status = None
    while status != m1.JobStatusEnum.SUCCESSFUL:
        assert status != m1.JobStatusEnum.ERROR and time.monotonic() < end, status
        listed = list1.sync(client=client, body=m1.JobStatusRequestList(jobs=[made.job, m1.IncompleteJob(), None]))
        assert isinstance(listed, m1.JobStatusReponseList) and len(listed.failed_jobs) == 2
        status = listed.jobs[0].job_status
        time.sleep(0.2)  # as a client does

    result = result1.sync(client=client, body=made.job)
    assert isinstance(result, m1.JobResultResponse) and isinstance(result.result_files.json, str)
    log = logs1.sync(client=client, job_id=made.job.job_id, secret=made.job.secret, offset=0)
    assert isinstance(log, str) and log.startswith("Bakta Command:"), log
    wrong = delete_old1.sync(client=client, job_id=made.job.job_id, secret="x" * 32)
    assert isinstance(wrong, m1.Error) and wrong.code == 16
    assert isinstance(delete1.sync(client=client, job_id=made.job.job_id, secret=made.job.secret), m1.Empty)
    gone = delete_old1.sync_detailed(client=client, job_id=made.job.job_id, secret=made.job.secret)
    assert gone.status_code == 404 and isinstance(gone.parsed, m1.Error)


def second_version(url: str) -> None:
    client = Client2(base_url=url)
    offered = workflows2.sync(client=client)
    assert isinstance(offered, list) and m2.WorkflowKind.BAKTA in [w.workflow_kind for w in offered]
    version = version2.sync(client=client)
    assert isinstance(version, m2.VersionResponse) and version.backend_version
    access = access2.sync(client=client)
    assert isinstance(access, m2.AccessResponse) and access.issuer == "" and access.scopes == []
    own = own2.sync_detailed(client=client, page_size=3)
    assert own.status_code == 401 and isinstance(own.parsed, str)  # this server has no login

    made = init2.sync(client=client, body=m2.InitJobRequest(name="a client", workflow_kind=m2.WorkflowKind.BAKTA))
    assert isinstance(made, m2.InitJobResponse)
    for link in made.uploads:
        if link.required:
            upload(link.url, GENOME)
    early = result2.sync(client=client, body=m2.JobResultRequest(job_id=made.job.job_id, secret=made.job.secret))
    assert isinstance(early, str), early

    config = m2.JobConfig(genus="Escherichia", derm_type=m2.DermType.DIDERM, use_replicons=False,
                          skip_plot=m2.Blank.VALUE_0, locus_tag=None)
    request = m2.StartJobRequest(job=made.job, workflow_kind=m2.WorkflowKind.BAKTA, config=config)
    started = start2.sync_detailed(client=client, body=request)
    assert started.status_code == 200 and started.parsed is None and started.content == b"null"
    again = submit2.sync(client=client, body=request)
    assert isinstance(again, m2.SubmitJobResponse) and isinstance(again.warnings, list), again

    end = time.monotonic() + WAIT
    status = None
    while status != m2.JobStatus.SUCCESSFUL:
        assert status != m2.JobStatus.ERROR and time.monotonic() < end, status
        listed = list2.sync(client=client, body=m2.JobsStatusRequest(jobs=[made.job, m2.IncompleteJob(), None]))
        assert isinstance(listed, m2.JobsStatusResponse) and len(listed.failed_jobs) == 2
        status = listed.jobs[0].status
        time.sleep(0.2)  # as a client does

    result = result2.sync(client=client, body=m2.JobResultRequest(job_id=made.job.job_id, secret=made.job.secret, partial=True))
    assert isinstance(result, m2.JobResultResponse) and isinstance(result.result.files.json, str)
    logs = logs2.sync(client=client, job_id=made.job.job_id, secret=made.job.secret)
    assert isinstance(logs, m2.LogsResponse) and [s.status for s in logs.stages] == [m2.StageStatus.SUCCEEDED]
    rerun = rerun2.sync(client=client, body=m2.RerunJobRequest(job=made.job, request_key=str(uuid.uuid4()), config=config))
    assert isinstance(rerun, m2.RerunJobResponse) and rerun.job.job_id != made.job.job_id, rerun
    assert delete2.sync_detailed(client=client, job_id=rerun.job.job_id, secret=rerun.job.secret).status_code == 200
    gone = delete2.sync_detailed(client=client, job_id=made.job.job_id, secret=made.job.secret)
    assert gone.status_code == 200 and gone.content == b""


def too_large(url: str) -> None:
    """http.client sends all of a body before it reads the answer."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    for path, status in {"/api/v1/job/init": 413, "/api/v2/job/init": 413, "/api/v1/version": 405, "/nothing": 404}.items():
        connection.request("POST", path, body=GENOME * 20_000)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (status, True), (path, answer.status)


first_version(sys.argv[1])
second_version(sys.argv[1])
too_large(sys.argv[1])
print("the Python clients made every call")
