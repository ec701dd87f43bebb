"""From data set, run and evaluation to what the report says."""

from datetime import UTC, datetime
from pathlib import Path

from edge import __version__
from edge.errors import DatasetError
from edge.training.data.statistics import DatasetStatistics, describe
from edge.training.dataset import Dataset
from edge.training.report import key_figures
from edge.training.report.content import Facts, ModelCard, Report, TrainingPart
from edge.training.report.data_charts import data_charts
from edge.training.report.evaluation_part import EvaluationFolder, evaluation_part
from edge.training.report.examples import examples
from edge.training.report.text import number, percent
from edge.training.report.training_charts import training_charts
from edge.training.report.training_log import TrainingLog, read_training_log
from edge.vision.model_folder import ModelFolder, read_model_folder

# So many pictures, spread over the set, tell its grey levels; all 12,568 of Kaggle's would take minutes.
_MEASURED_PICTURES = 100
_MODEL_OF_RUN = "model"
_SIZES_SHOWN = 3


def gather(dataset: Dataset, run: Path | None = None, evaluation: Path | None = None) -> Report:
    """Read what there is and draw it.

    Args:
        dataset: the labelled set; the one that was evaluated, so that best and worst frames can be shown.
        run: a run's folder, with ``metrics.jsonl`` and perhaps ``model/``.
        evaluation: an evaluation's folder, with ``evaluation.json`` and ``detections.json``.

    Raises:
        DatasetError: there are no frames, or a file of run or evaluation is missing or broken.
        ModelError: the run's model folder is broken.
        CorruptImageError: a picture of the data set cannot be read.
    """
    if not dataset.frames:
        raise DatasetError(f"{dataset.name}: holds no frames to report on")
    log = None if run is None else read_training_log(run)
    model = None if run is None else _model_of(run)
    judged = None if evaluation is None else EvaluationFolder.read(evaluation, dataset.class_names)
    statistics = describe(dataset, pictures=_MEASURED_PICTURES)
    title, byline = _headlines(statistics, run, model, judged)
    return Report(
        title=title,
        byline=byline,
        version=__version__,
        made_at=f"{datetime.now(UTC):%d %B %Y, %H:%M} UTC",
        class_names=dataset.class_names,
        key_figures=key_figures.choose(statistics, log, None if judged is None else judged.evaluation),
        card=_card(model, judged),
        data_facts=_data_facts(statistics),
        data_charts=data_charts(statistics),
        examples=examples(dataset),
        training=None if log is None or run is None else _training_part(run, log),
        evaluation=None if judged is None else evaluation_part(judged, dataset),
    )


def _model_of(run: Path) -> ModelFolder | None:
    folder = run / _MODEL_OF_RUN
    return read_model_folder(folder) if folder.is_dir() else None


def _headlines(
    statistics: DatasetStatistics,
    run: Path | None,
    model: ModelFolder | None,
    judged: EvaluationFolder | None,
) -> tuple[str, str]:
    if judged is not None and judged.evaluation.model_name:
        name = judged.evaluation.model_name
    elif model is not None:
        name = model.name
    else:
        name = "" if run is None else run.resolve().name
    return (
        f"{name} on {statistics.name}" if name else statistics.name,
        f"{statistics.frames:,} labelled frames, {len(statistics.class_names)} classes of defects",
    )


def _card(model: ModelFolder | None, judged: EvaluationFolder | None) -> ModelCard | None:
    if judged is not None:
        figures = judged.evaluation
        # Stored detections do not always tell which model they are from.
        known = [("name", figures.model_name), ("version", figures.model_version)]
        facts = [(name, value) for name, value in known if value]
        facts.append(("thresholds from", figures.thresholds_from))
        if figures.frames_per_second is not None:
            facts.append(("inference", f"{figures.frames_per_second:.1f} frames/s, frame by frame"))
        if model is not None and figures.model_version not in ("", model.version):
            facts.append(
                ("note", f"the run's own model is {model.name} {model.version}, not the one evaluated")
            )
        return ModelCard(facts, [(c.name, c.threshold) for c in figures.classes])
    if model is not None:
        facts = [("name", model.name), ("version", model.version)]
        return ModelCard(facts, list(zip(model.class_names, model.score_thresholds, strict=True)))
    return None


def _data_facts(statistics: DatasetStatistics) -> Facts:
    sizes = [f"{w} × {h} px" for w, h, _ in statistics.sizes_px[:_SIZES_SHOWN]]
    more = len(statistics.sizes_px) - len(sizes)
    clean = f"{statistics.clean_frames:,} ({percent(statistics.clean_frames / max(1, statistics.frames))})"
    return [
        ("data set", statistics.name),
        (
            "frames",
            f"{statistics.frames:,}, of {', '.join(sizes)}" + (f" and {more} more sizes" if more else ""),
        ),
        ("clean frames", clean),
        ("defects", f"{statistics.defects:,}, on {percent(statistics.defect_part)} of all pixels"),
        ("labels", "masks" if statistics.has_masks else "boxes"),
        ("classes", ", ".join(statistics.class_names)),
    ]


def _training_part(run: Path, log: TrainingLog) -> TrainingPart:
    facts = [("run", run.resolve().name), ("iterations", f"{log.iterations:,}")]
    if log.seconds_per_iteration is not None:
        facts.append(("pace", f"{log.seconds_per_iteration:.2f} s an iteration (median)"))
    if "loss" in log.losses:
        facts.append(("last loss", number(log.losses["loss"][1][-1])))
    facts += [
        (f"best Dice, {v.name}", f"{v.dice[v.best]:.3f} at iteration {v.iterations[v.best]:,}")
        for v in log.validations
    ]
    return TrainingPart(facts, training_charts(log))
