"""Starts the pinned emulator with a few of its known gaps mended, each by replacing text that must be there exactly once.

Run by the emulator's own interpreter, which knows nothing of Remit: `python launcher.py`. Another version of the
emulator, or other source than expected, is refused rather than patched by guess.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.metadata
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import CodeType, ModuleType
from typing import NamedTuple

PACKAGE, VERSION = "ministack", "1.5.33"


class Patch(NamedTuple):
    """One gap of the emulator: what real AWS does, the text that does otherwise, and what stands there instead."""

    why: str
    module: str
    old: str
    new: str


ERROR_TYPE = "an error of a Lambda function is of the type of the exception, which `Retry` and `Catch` go by"
INVOKE_MODEL = (
    "Converse needs `bedrock:InvokeModel` on the model, and applying a guardrail needs it on the guardrail"
)
BATCHES = "what a batch does is allowed by the right to do it once: there is no `sqs:SendMessageBatch` in IAM"
TOKENS = "who answers a task by its token needs the right to do so on the state machine that the token is of"
SCHEDULED = "the input of a schedule may say when it was due, and an id of its own"
PARALLEL = "a Parallel state in JSONata has `Arguments`, `Output` and `Assign`"
SUCCEED = "a Succeed state in JSONata has `Output`"
UNPACKED_ONCE = (
    "functions with the same code share one copy of it: unpacking it for each costs them seconds, and a disk"
)
OBJECT_LOCK = "a bucket made by CloudFormation has the object lock that the template asks for"

PATCHES = (
    Patch(
        UNPACKED_ONCE,
        "ministack.core.lambda_runtime",
        "class Worker:\n",
        "_unpacking = threading.Lock()\n\n\n"
        "def _unpacked(packed, where):\n"
        "    name = f'code-{hashlib.sha256(packed).hexdigest()}'\n"
        "    shared = os.path.join(tempfile.gettempdir(), name)\n"
        "    with _unpacking:\n"
        "        if not os.path.isdir(shared):\n"
        "            with open(f'{shared}.zip', 'wb') as f:\n"
        "                f.write(packed)\n"
        "            with zipfile.ZipFile(f'{shared}.zip') as zf:\n"
        "                zf.extractall(f'{shared}.new')\n"
        "            os.remove(f'{shared}.zip')\n"
        "            os.rename(f'{shared}.new', shared)\n"
        "    os.symlink(shared, where)\n\n\n"
        "class Worker:\n",
    ),
    Patch(
        UNPACKED_ONCE,
        "ministack.core.lambda_runtime",
        "        os.makedirs(code_dir)\n"
        '        with open(os.path.join(self._tmpdir, "code.zip"), "wb") as f:\n'
        "            f.write(self.code_zip)\n"
        '        with zipfile.ZipFile(os.path.join(self._tmpdir, "code.zip")) as zf:\n'
        "            zf.extractall(code_dir)\n",
        "        _unpacked(self.code_zip, code_dir)\n",
    ),
    Patch(
        ERROR_TYPE,
        "ministack.core.lambda_runtime",
        '"error": str(e), "trace": traceback.format_exc()})',
        '"error": str(e), "type": type(e).__name__, "trace": traceback.format_exc()})',
    ),
    Patch(
        ERROR_TYPE,
        "ministack.services.lambda_svc",
        'error_type = "Runtime.HandlerError"\n            if _RIE_TIMEOUT_TEXT_RE',
        'error_type = result.get("type") or "Runtime.HandlerError"\n            if _RIE_TIMEOUT_TEXT_RE',
    ),
    Patch(
        INVOKE_MODEL,
        "ministack.core.iam_actions",
        "    action_name = _match_rest_action(service, method, path, query_params)\n    if action_name:\n",
        "    action_name = _match_rest_action(service, method, path, query_params)\n"
        '    if service.startswith("bedrock") and action_name in ("Converse", "ConverseStream"):\n'
        '        action_name = {"Converse": "InvokeModel"}.get(action_name, "InvokeModelWithResponseStream")\n'
        "    if action_name:\n",
    ),
    Patch(
        INVOKE_MODEL,
        "ministack.core.iam_actions",
        '    if service == "bedrock":\n        parts = [p for p in path.split("/") if p]\n',
        '    if service == "bedrock" or service == "bedrock-runtime":\n'
        '        parts = [unquote(p) for p in path.split("/") if p]\n'
        '        if parts[:1] == ["model"] and len(parts) > 1:\n'
        '            if parts[1].startswith("arn:"):\n'
        "                return parts[1]\n"
        '            if parts[1].split(".")[0] in ("us", "eu", "apac", "jp", "au", "global", "us-gov"):\n'
        '                return f"arn:aws:bedrock:{region}:{account_id}:inference-profile/{parts[1]}"\n'
        '            return f"arn:aws:bedrock:{region}::foundation-model/{parts[1]}"\n'
        '        if parts[:1] == ["guardrail"] and len(parts) > 1:\n'
        '            return f"arn:aws:bedrock:{region}:{account_id}:guardrail/{parts[1]}"\n',
    ),
    Patch(
        BATCHES,
        "ministack.core.iam_actions",
        '                                     headers.get("content-type", ""))\n    if action_name:\n',
        '                                     headers.get("content-type", ""))\n    if action_name:\n'
        '        if namespace in ("sqs", "sns"):\n'
        '            action_name = action_name.removesuffix("Batch")\n',
    ),
    Patch(
        BATCHES,
        "ministack.core.iam_actions",
        "    action_name = _action_from_target(headers)\n    if action_name:\n",
        "    action_name = _action_from_target(headers)\n    if action_name:\n"
        '        if namespace in ("sqs", "sns"):\n'
        '            action_name = action_name.removesuffix("Batch")\n',
    ),
    Patch(
        TOKENS,
        "ministack.services.stepfunctions",
        'ctx["Task"] = {"Token": new_uuid()}',
        'ctx["Task"] = {"Token": f"{new_uuid()}@{execution[\'stateMachineArn\']}"}',
    ),
    Patch(
        TOKENS,
        "ministack.core.iam_actions",
        '    if service == "states":\n        arn = _safe_json_field(body, "stateMachineArn")\n',
        '    if service == "states":\n'
        '        if "@" in (_safe_json_field(body, "taskToken") or ""):\n'
        '            return _safe_json_field(body, "taskToken").partition("@")[2]\n'
        '        arn = _safe_json_field(body, "stateMachineArn")\n',
    ),
    Patch(
        SCHEDULED,
        "ministack.services.scheduler",
        "                _eb._invoke_target(target, event, sched)\n",
        "                _said = str(target.get('Input') or '')\n"
        "                _due = datetime.fromtimestamp(now, tz=timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')\n"
        "                _said = _said.replace('<aws.scheduler.scheduled-time>', _due)\n"
        "                _said = _said.replace('<aws.scheduler.execution-id>', event['EventId'])\n"
        "                _said = _said.replace('<aws.scheduler.schedule-arn>', sched.get('Arn', ''))\n"
        "                _eb._invoke_target({**target, 'Input': _said} if _said else target, event, sched)\n",
    ),
    Patch(
        PARALLEL,
        "ministack.services.stepfunctions",
        "def _run_parallel_branches(state_def, raw_input, execution, ctx):\n"
        "    effective = _apply_input_path(state_def, raw_input, ctx)\n"
        "    effective = _apply_parameters(state_def, effective, ctx)\n",
        "def _run_parallel_branches(state_def, raw_input, execution, ctx):\n"
        '    in_jsonata = _state_query_language(state_def, ctx) == "JSONata"\n'
        "    if in_jsonata:\n"
        "        effective = _apply_jsonata_arguments(state_def, raw_input, ctx)\n"
        "    else:\n"
        "        effective = _apply_input_path(state_def, raw_input, ctx)\n"
        "        effective = _apply_parameters(state_def, effective, ctx)\n",
    ),
    Patch(
        PARALLEL,
        "ministack.services.stepfunctions",
        '                "States.BranchFailed", str(err))\n\n',
        '                "States.BranchFailed", str(err))\n\n'
        "    if in_jsonata:\n"
        "        output = _apply_jsonata_output(state_def, raw_input, ctx, result=results, default=results)\n"
        "        _apply_state_assign(state_def, raw_input, ctx, result=results)\n"
        "        return output, _next_or_end(state_def)\n",
    ),
    Patch(
        SUCCEED,
        "ministack.services.stepfunctions",
        "                current_input = _apply_input_path(state_def, current_input, ctx)\n"
        "                current_input = _apply_output_path(state_def, current_input, ctx)\n",
        "                current_input = _apply_input_path(state_def, current_input, ctx)\n"
        "                current_input = _apply_output_path(state_def, current_input, ctx)\n"
        '                if _state_query_language(state_def, ctx) == "JSONata":\n'
        "                    current_input = _apply_jsonata_output(\n"
        "                        state_def, current_input, ctx, default=current_input)\n",
    ),
    Patch(
        SUCCEED,
        "ministack.services.stepfunctions",
        '        if state_type == "Succeed":\n            return _apply_output_path(state_def,\n',
        '        if state_type == "Succeed" and _state_query_language(state_def, ctx) == "JSONata":\n'
        "            return _apply_jsonata_output(state_def, current_input, ctx, default=current_input)\n"
        '        if state_type == "Succeed":\n            return _apply_output_path(state_def,\n',
    ),
    Patch(
        OBJECT_LOCK,
        "ministack.services.cloudformation.provisioners",
        '    if "NotificationConfiguration" in props:\n'
        '        _s3_apply_notification(name, props["NotificationConfiguration"])\n'
        "    _s3_apply_configurations(name, props)\n",
        '    if str(props.get("ObjectLockEnabled")).lower() == "true":\n'
        '        _rule = (props.get("ObjectLockConfiguration") or {}).get("Rule") or {}\n'
        '        _kept = _rule.get("DefaultRetention")\n'
        '        _s3._bucket_versioning[name] = "Enabled"\n'
        '        _s3._bucket_object_lock[name] = {"enabled": True, "default_retention": _kept and {\n'
        '            key: value if key == "Mode" else int(value) for key, value in _kept.items()}}\n'
        '    if "NotificationConfiguration" in props:\n'
        '        _s3_apply_notification(name, props["NotificationConfiguration"])\n'
        "    _s3_apply_configurations(name, props)\n",
    ),
)


def patched(module: str, source: str, patches: Sequence[Patch] = PATCHES) -> str:
    """The source of a module with its patches in place. Raises SystemExit when the text is not as expected."""
    for patch in patches:
        if patch.module != module:
            continue
        if (found := source.count(patch.old)) != 1:
            raise SystemExit(
                f"launcher: {module} is not as expected, so that it cannot be patched "
                f"({patch.why}; the text occurs {found} times instead of once)"
            )
        source = source.replace(patch.old, patch.new)
    return source


class PatchedLoader(importlib.machinery.SourceFileLoader):
    """Compiles the patched source; nothing is cached, and nothing on disk is changed."""

    def get_code(self, fullname: str) -> CodeType | None:
        """The module's code."""
        source = self.get_source(fullname)
        return None if source is None else compile(patched(fullname, source), self.path, "exec")


class Finder(MetaPathFinder):
    """Finds the modules that are patched, before Python does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a patched module, None for any other."""
        if all(patch.module != fullname for patch in PATCHES):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = PatchedLoader(fullname, spec.origin)
        return spec


def main() -> None:
    """Start the emulator, patched."""
    if (version := importlib.metadata.version(PACKAGE)) != VERSION:
        raise SystemExit(f"launcher: made for {PACKAGE} {VERSION}, and this is {version}")
    sys.meta_path.insert(0, Finder())
    importlib.import_module("ministack.app").main()


if __name__ == "__main__":
    main()
