"""What the terminal says, in English and Chinese. Names of grades, sizes and lots come from the sheet as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from grader.domain.flags import FLAGS, flag_names
from grader.domain.snapshot import Finding

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "starting": "STARTING",
        "running": "RUNNING",
        "draining": "DRAINING",
        "stopped": "STOPPED",
        "faulted": "FAULTED",
        "to_do_starting": "Wait: devices are being opened.",
        "to_do_running": "Ctrl-C: the belt is run empty into its outlets, gates close, the lot is printed.",
        "to_do_draining": "Put no more fruit on. Gates close when the last fruit is out.",
        "to_do_stopped": "Gates are closed. Everything is in the journal.",
        "to_do_faulted": "Gates are closed. Find the cause, put it right, start again.",
        "asked_to_stop": "Ctrl-C",
        "asked_by_order": "ordered to stop",
        "order_done": "done",
        "finding_camera": "the camera gives no pictures, it is opened again: {detail}",
        "finding_sensors": "scales and spectrometers are not heard, they are opened again: {detail}",
        "finding_no_weight": "lane {lane}: {share} of the fruit have no weight",
        "finding_no_sugar": "lane {lane}: {share} of the fruit have no sugar value",
        "finding_not_seen": "lane {lane}: {share} of the fruit are not seen well enough",
        "finding_frames_lost": "{share} of the pictures are lost",
        "finding_light": "pictures are dark: {share} of the light is left",
        "finding_late": "{share} of the fruit came too late for their gate",
        "finding_board_link": "the cable to the gate board damages {detail} messages",
        "finding_belt_stopped": "the belt stands still",
        "finding_belt_jogged": "the belt is jogged: gates stay closed",
        "finding_not_phased": "waiting for the chain's index mark: gates stay closed",
        "finding_outlet_full": "outlet {outlet} is full",
        "finding_journal": "the journal cannot be written, gates wait for it: {detail}",
        "finding_lot_waits": "lots that wait for a gap, and in how many lanes: {detail}",
        "time_is_up": "time is up",
        "lot": "lot",
        "sheet": "sheet",
        "cups_per_s": "{value} cups/s",
        "fruit_per_s": "{value} fruit/s",
        "fruit_seen": "{n} fruit",
        "lanes": "Lanes: fruit/s, cups filled, fruit",
        "grades": "Grades: share, fruit",
        "outlets": "Outlets (0 = default): fruit",
        "watch": "Watch",
        "late": "late",
        "refused": "refused",
        "void": "void",
        "frames_dropped": "dropped",
        "no_flags": "no fruit is flagged",
        "no_fruit": "no fruit yet",
        "more": "... {n} more",
        "latency": "Latency, ms",
        "frame_to_step": "frame-step",
        "step": "step",
        "commit": "commit",
        "frame_to_command": "frame-command",
        "wait": "wait",
        "answer": "board answer",
        "worst": "worst",
        "timed": "n",
        "board_good": "gate board: {pending} commands pending, {open} gates open, start {boot}",
        "board_lost": "gate board: no heartbeat",
        "emergency_stop": "EMERGENCY STOP is pressed",
        "belt_stopped": "the belt stands still",
        "journal": "journal: {rows} fruit",
        "lot_closed": "Lot {lot}",
        "fruit_in_time": "{fruit} fruit in {duration}, {rate} fruit/s",
        "grade": "grade",
        "size": "size",
        "fruit": "fruit",
        "share": "share",
        "outlet": "outlet",
        "all_sizes": "all sizes",
        "default": "default",
        "flag": "flag",
        "stage": "stage, ms",
        "gates_missed": "gate commands: {late} late, {refused} refused, {void} void, {unknown} not known; "
        "frames dropped: {dropped}",
        "copying": "copying the journal",
        "backed_up": "{to}: {fruit} fruit, {size}, read through and sound",
        "removed": "removed: {path}, {size}, last written {day}",
        "to_remove": "would be removed: {path}, {size}, last written {day}",
        "stays": "stays: {path}: {why}",
        "stays_in_use": "a station writes it",
        "stays_open_lot": "a lot is open in it; start the station with it and close the lot",
        "stays_newest": "it is the newest journal",
        "stays_unreadable": "it cannot be read; look at it before you take it away",
        "removed_in_all": "{files} files, {size}",
        "nothing_to_remove": "nothing is older or larger than asked for",
    },
    "zh": {
        "starting": "启动中",
        "running": "运行",
        "draining": "清线中",
        "stopped": "已停止",
        "faulted": "故障",
        "to_do_starting": "请稍候：正在打开设备。",
        "to_do_running": "按 Ctrl-C 停止：带上的果实仍到各自出口，随后关门并打印本批结果。",
        "to_do_draining": "请勿再上果。最后一个果实离线后，分选门关闭。",
        "to_do_stopped": "分选门已关闭，数据已全部记入日志。",
        "to_do_faulted": "分选门已关闭。请查明并排除原因，然后重新启动。",
        "asked_to_stop": "已按 Ctrl-C",
        "asked_by_order": "已下令停止",
        "order_done": "完成",
        "finding_camera": "相机没有图像，正在重新打开：{detail}",
        "finding_sensors": "收不到称重和光谱数据，正在重新连接：{detail}",
        "finding_no_weight": "第 {lane} 道：{share} 的果实没有重量",
        "finding_no_sugar": "第 {lane} 道：{share} 的果实没有糖度",
        "finding_not_seen": "第 {lane} 道：{share} 的果实看不清",
        "finding_frames_lost": "{share} 的图像丢失",
        "finding_light": "图像偏暗：亮度只剩 {share}",
        "finding_late": "{share} 的果实判定太晚，未能开门",
        "finding_board_link": "与分选板的连线损坏数据：{detail}",
        "finding_belt_stopped": "输送链停止",
        "finding_belt_jogged": "输送链点动中：分选门保持关闭",
        "finding_not_phased": "等待链条零位标记：分选门保持关闭",
        "finding_outlet_full": "出口 {outlet} 已满",
        "finding_journal": "日志无法写入，分选门等待：{detail}",
        "finding_lot_waits": "等待空档才开始的批次及道数：{detail}",
        "time_is_up": "时间到",
        "lot": "批次",
        "sheet": "标准",
        "cups_per_s": "{value} 杯/秒",
        "fruit_per_s": "{value} 果/秒",
        "fruit_seen": "{n} 果",
        "lanes": "各道：果/秒，满杯率，果数",
        "grades": "等级：占比，果数",
        "outlets": "出口（0 = 默认）：果数",
        "watch": "注意",
        "late": "超时",
        "refused": "拒绝",
        "void": "作废",
        "frames_dropped": "丢帧",
        "no_flags": "没有带标记的果实",
        "no_fruit": "尚无果实",
        "more": "... 还有 {n} 项",
        "latency": "延迟（毫秒）",
        "frame_to_step": "图像到判定",
        "step": "判定计算",
        "commit": "写入日志",
        "frame_to_command": "图像到指令",
        "wait": "等待写入",
        "answer": "分选板应答",
        "worst": "最差",
        "timed": "次数",
        "board_good": "分选板：待执行 {pending} 条，已开 {open} 门，启动号 {boot}",
        "board_lost": "分选板：没有心跳",
        "emergency_stop": "急停已按下",
        "belt_stopped": "输送链停止",
        "journal": "日志：{rows} 果",
        "lot_closed": "批次 {lot}",
        "fruit_in_time": "{fruit} 果，用时 {duration}，{rate} 果/秒",
        "grade": "等级",
        "size": "规格",
        "fruit": "果数",
        "share": "占比",
        "outlet": "出口",
        "all_sizes": "全部规格",
        "default": "默认",
        "flag": "标记",
        "stage": "阶段（毫秒）",
        "gates_missed": "分选指令：超时 {late}，拒绝 {refused}，作废 {void}，结果不明 {unknown}；丢帧：{dropped}",
        "copying": "正在备份日志",
        "backed_up": "{to}：{fruit} 果，{size}，已通读校验",
        "removed": "已删除：{path}，{size}，最后写入 {day}",
        "to_remove": "将删除：{path}，{size}，最后写入 {day}",
        "stays": "保留：{path}：{why}",
        "stays_in_use": "分选站正在写入",
        "stays_open_lot": "其中有未结束的批次；请用它启动分选站并结束该批次",
        "stays_newest": "这是最新的日志",
        "stays_unreadable": "无法读取；删除前请先查看",
        "removed_in_all": "{files} 个文件，{size}",
        "nothing_to_remove": "没有超出期限或容量的文件",
    },
}

_FLAG_WORDS: dict[Language, dict[str, str]] = {
    "en": {flag_names(flag): meaning.english for flag, meaning in FLAGS.items()},
    "zh": {flag_names(flag): meaning.chinese for flag, meaning in FLAGS.items()},
}


def say(lang: Language, key: str, **values: object) -> str:
    """The text of a key with its values put in. KeyError for a key that is not in the catalogue."""
    return WORDS[lang][key].format(**values)


def say_flag(lang: Language, name: str) -> str:
    """What an operator reads for a flag's name, as in `flag_names`."""
    return _FLAG_WORDS[lang][name]


def say_finding(lang: Language, finding: Finding) -> str:
    """What an operator reads for something that is not as it should be."""
    share = "" if finding.share is None else f"{finding.share:.0%}"
    values = {"lane": finding.lane, "outlet": finding.outlet, "share": share, "detail": finding.detail}
    return say(lang, f"finding_{finding.kind}", **values)


def language_of(environ: Mapping[str, str]) -> Language:
    """The operator's language by LC_ALL, LC_MESSAGES or LANG, the first that is set; English when it is neither."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return "zh" if environ[name].lower().startswith("zh") else "en"
    return "en"
