"""What the terminal says, in English and Chinese. Names of grades, sizes and lots come from the sheet as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from grader.domain.flags import FLAGS, flag_names
from grader.domain.snapshot import Finding, FindingKind

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
LANGUAGE_NAMES: dict[Language, str] = {"en": "English", "zh": "中文"}
"""Each in itself: so that it is found by who cannot read the other."""

WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "starting": "STARTING",
        "running": "RUNNING",
        "draining": "DRAINING",
        "stopped": "STOPPED",
        "faulted": "FAULTED",
        "to_do_starting": "Wait: devices are being opened.",
        "to_do_running": "Ctrl-C: the belt runs empty, gates close, the lot is printed.",
        "to_do_draining": "Put no more fruit on. Gates close when the last fruit is out.",
        "to_do_stopped": "Gates are closed. Everything is in the journal.",
        "to_do_faulted": "Ctrl-C: stop here, without running the belt empty.",
        "asked_to_stop": "Ctrl-C",
        "asked_by_order": "ordered to stop",
        "order_done": "done",
        "fault": "FAULT for {since}: gates are closed, all fruit run to outlet 0",
        "fault_emergency_stop": "The emergency stop is pressed.",
        "fault_board": "The gate board does not answer.",
        "fault_encoder": "The encoder jumped, ran back or fell silent.",
        "fault_camera": "The camera gives no pictures. Opening it again did not help.",
        "fault_journal": "The journal cannot be written.",
        "fault_line": "The simulated line has ended.",
        "fault_other": "The program met something that it cannot handle.",
        "remedy_emergency_stop": "Find out why it was pressed. When nobody is in danger, release it.",
        "remedy_board": "Check the gate board's power and the cable to this computer.",
        "remedy_encoder": "Check the encoder: its coupling to the chain, its plug, its cable.",
        "remedy_camera": "Check the camera: its power, its cable, its lens.",
        "remedy_journal": "Make room on the disk; see that the run's folder is there and can be written.",
        "remedy_line": "Nothing to check: it is no machine.",
        "remedy_other": "Write the message down and keep the run's folder for the engineer.",
        "message": "Message: {text}",
        "reset_by_key": "Hands off the gates! Then press R for a reset.",
        "reset_by_order": "Hands off the gates! Then type: grader order reset",
        "restart": "Only a new start helps: start the station with the same folder, then reset it. The lot goes on.",
        "restart_command": "Start again: {command}",
        "key_asks": "RESET? Gates will move again. Hands off! Press R once more within 5 seconds.",
        "key_resetting": "Resetting, please wait ...",
        "key_done": "The fault is reset: gates work again.",
        "key_refused": "Not reset: {why}",
        "finding_camera": "No pictures: camera is reopened",
        "finding_sensors": "No weights, no spectra: reconnecting",
        "finding_no_weight": "{lanes}: no weight, {share} of fruit",
        "finding_no_sugar": "{lanes}: no sugar, {share} of fruit",
        "finding_maps": "Skin maps are not made: beginning again",
        "finding_no_map": "{lanes}: skin map late, {share} of fruit",
        "finding_turn_unsure": "{lanes}: turn not seen, {share} of fruit: check rollers, lens",
        "finding_blurred": "{lanes}: blurred, {share} of fruit: check focus, lens",
        "finding_unlikely_size": "{lanes}: size and weight do not fit, {share} of fruit",
        "finding_scale_frozen": "{lanes}: scale repeats one number: no weights",
        "finding_scale_astray": "{lanes}: empty cups weigh something: no weights, zero the scale",
        "finding_scale_creep": "{lanes}: zero of the scale moves: look what lies on it",
        "finding_scale_drift": "{lanes}: zero of the scale is far off: clean and zero it",
        "finding_cup_stuck": "Something sticks in cups (lane/cup of the chain): {detail}",
        "finding_not_seen": "{lanes}: badly seen, {share} of fruit",
        "finding_frames_lost": "{share} of pictures are lost",
        "finding_light": "Pictures are dark: {share} of the light is left. Lamp? Lens?",
        "finding_late": "{share} of fruit decided too late",
        "finding_refused": "{share} of fruit: gate board refused",
        "finding_board_link": "Gate board cable: {detail} bad messages",
        "finding_belt_stopped": "The belt stands still",
        "finding_belt_jogged": "The belt is jogged: gates stay closed",
        "finding_not_phased": "Waiting for the chain's index mark: gates stay closed",
        "finding_outlet_full": "Full: {outlets}",
        "finding_journal": "Disk slow or full: gates wait",
        "finding_pictures": "Pictures of fruit are not kept",
        "finding_lot_waits": "Lot waits for a gap (lot: lanes): {detail}",
        "finding_over": "over: {finding}",
        "lane": "Lane {numbers}",
        "lanes_of": "Lanes {numbers}",
        "outlet_of": "outlet {numbers}",
        "outlets_of": "outlets {numbers}",
        "time_is_up": "time is up",
        "lot": "lot",
        "lots": "lots",
        "lot_on_belt": "{lot}: in {lanes} of {all} lanes",
        "lot_leaves": "{lot}: leaving",
        "lot_waits": "{lot}: gap awaited in {lanes} of {all} lanes",
        "lot_of": "{lot} ({grower})",
        "no_lot": "(none)",
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
        "map": "skin map",
        "commit": "commit",
        "frame_to_command": "frame-command",
        "wait": "wait",
        "answer": "board answer",
        "worst": "worst",
        "timed": "n",
        "board_good": "gate board: {pending} commands pending, {open} gates open",
        "board_lost": "gate board: no heartbeat",
        "emergency_stop": "EMERGENCY STOP is pressed",
        "belt_stopped": "the belt stands still",
        "journal": "journal: {rows} fruit",
        "journal_behind": "journal: {fruit} fruit wait to be written",
        "lot_closed": "Lot {lot}",
        "lots_closed": "{n} lots",
        "lot_title": "Lot {lot}: {fruit} fruit, {share} of the run",
        "by_outlet": "outlet: fruit  ",
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
        "station_found": "station: {folder}",
        "show_speed": "belt",
        "show_kept": "in journal",
        "show_gates": "gates",
        "show_board": "board",
        "closing_books": "closing the books",
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
        "explain_fruit": "Lane {lane}, cup {cup}: {graded}, {outlet}",
        "explain_no_class": "no class",
        "explain_spot": "Spot {letter}: {area} mm², {length} mm long, {darker} % darker than sound skin",
        "explain_picture": "Picture {path}: all views; below, its skin (grey unseen; rings stem, calyx; lines spots)",
        "explain_views_only": "Picture {path}: all views; no map of its skin, as its turn could not be seen",
        "explain_unseen": "No picture: no camera saw whole what was in the cup",
    },
    "zh": {
        "starting": "启动中",
        "running": "运行",
        "draining": "清线中",
        "stopped": "已停止",
        "faulted": "故障",
        "to_do_starting": "请稍候：正在打开设备。",
        "to_do_running": "Ctrl-C 停机：链上的果实仍送到各自出口，然后关门，打印本批结果。",
        "to_do_draining": "请勿再上果。最后一个果实离线后，分选门关闭。",
        "to_do_stopped": "分选门已关闭，数据已全部记入日志。",
        "to_do_faulted": "Ctrl-C：就此停机，不清空链上的果实。",
        "asked_to_stop": "已按 Ctrl-C",
        "asked_by_order": "已下令停机",
        "order_done": "完成",
        "fault": "故障，已持续 {since}：分选门关闭，果实全部走 0 号出口",
        "fault_emergency_stop": "急停按钮已按下。",
        "fault_board": "分选板没有应答。",
        "fault_encoder": "编码器跳变、倒转或无信号。",
        "fault_camera": "相机没有图像，多次重新打开无效。",
        "fault_journal": "日志无法写入。",
        "fault_line": "模拟分选线已退出。",
        "fault_other": "程序遇到无法处理的情况。",
        "remedy_emergency_stop": "查明按下急停的原因；确认人员安全后，松开急停按钮。",
        "remedy_board": "检查分选板的电源，以及连接本机的电缆。",
        "remedy_encoder": "检查编码器：与链条的联轴器、插头、电缆。",
        "remedy_camera": "检查相机：电源、电缆、镜头。",
        "remedy_journal": "清理磁盘空间；确认运行文件夹还在，并且可以写入。",
        "remedy_line": "无需检查：它不是真实设备。",
        "remedy_other": "抄下报警原文，保留运行文件夹，联系工程师。",
        "message": "报警原文：{text}",
        "reset_by_key": "手离开分选门！然后按 R 键复位。",
        "reset_by_order": "手离开分选门！然后输入：grader order reset",
        "restart": "此故障不能直接复位。请用原来的文件夹重新启动，再复位，本批继续。",
        "restart_command": "重新启动：{command}",
        "key_asks": "确认复位？分选门将重新动作，手离开！请在 5 秒内再按一次 R。",
        "key_resetting": "正在复位，请稍候……",
        "key_done": "故障已复位：分选门恢复工作。",
        "key_refused": "未能复位：{why}",
        "finding_camera": "没有图像：正在重新打开相机",
        "finding_sensors": "没有重量和光谱：正在重新连接",
        "finding_no_weight": "{lanes}：{share} 的果实重量无效",
        "finding_no_sugar": "{lanes}：{share} 的果实没有糖度",
        "finding_maps": "果面展开图程序中断：正在重新启动",
        "finding_no_map": "{lanes}：{share} 的果实展开图超时",
        "finding_turn_unsure": "{lanes}：{share} 的果实看不出转动，请检查滚轮和镜头",
        "finding_blurred": "{lanes}：{share} 的果实图像模糊，请检查对焦和镜头",
        "finding_unlikely_size": "{lanes}：{share} 的果实尺寸与重量不符",
        "finding_scale_frozen": "{lanes}：秤一直显示同一读数，重量不计",
        "finding_scale_astray": "{lanes}：空杯有读数，重量不计，请给秤清零",
        "finding_scale_creep": "{lanes}：秤的零点在移动，检查秤上有无异物",
        "finding_scale_drift": "{lanes}：秤的零点偏移过大，请清洁并清零",
        "finding_cup_stuck": "果杯有异物（道/链上杯号）：{detail}，请清洁",
        "finding_not_seen": "{lanes}：{share} 的果实未看清",
        "finding_frames_lost": "图像丢失 {share}",
        "finding_light": "图像偏暗，亮度只剩 {share}：检查灯和镜头",
        "finding_late": "{share} 的果实判定超时，未开门",
        "finding_refused": "{share} 的果实：分选板拒绝指令",
        "finding_board_link": "分选板电缆受干扰：坏报文 {detail}",
        "finding_belt_stopped": "输送链已停",
        "finding_belt_jogged": "输送链点动：分选门保持关闭",
        "finding_not_phased": "等待链条零位标记：分选门保持关闭",
        "finding_outlet_full": "已满：{outlets}",
        "finding_journal": "磁盘慢或已满：分选门等待写入",
        "finding_pictures": "果实图片未保存",
        "finding_lot_waits": "批次等待空档（批次：道数）：{detail}",
        "finding_over": "已恢复：{finding}",
        "lane": "第 {numbers} 道",
        "lanes_of": "第 {numbers} 道",
        "outlet_of": "{numbers} 号出口",
        "outlets_of": "{numbers} 号出口",
        "time_is_up": "时间到",
        "lot": "批次",
        "lots": "批次",
        "lot_on_belt": "{lot}：{all} 道中 {lanes} 道",
        "lot_leaves": "{lot}：正在离线",
        "lot_waits": "{lot}：{all} 道中 {lanes} 道等待空档",
        "lot_of": "{lot}（货主 {grower}）",
        "no_lot": "（未归批）",
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
        "map": "果面展开",
        "commit": "写入日志",
        "frame_to_command": "图像到指令",
        "wait": "等待写入",
        "answer": "分选板应答",
        "worst": "最差",
        "timed": "次数",
        "board_good": "分选板：待执行 {pending} 条，已开 {open} 门",
        "board_lost": "分选板：没有心跳",
        "emergency_stop": "急停已按下",
        "belt_stopped": "输送链停止",
        "journal": "日志：{rows} 果",
        "journal_behind": "日志：{fruit} 果等待写入",
        "lot_closed": "批次 {lot}",
        "lots_closed": "共 {n} 个批次",
        "lot_title": "批次 {lot}：{fruit} 果，占本次运行的 {share}",
        "by_outlet": "出口：果数  ",
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
        "station_found": "分选站：{folder}",
        "show_speed": "输送链",
        "show_kept": "已入日志",
        "show_gates": "分选门",
        "show_board": "设备",
        "closing_books": "正在整理结果",
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
        "explain_fruit": "{lane} 道 {cup} 号杯：{graded}，{outlet}",
        "explain_no_class": "未定级",
        "explain_spot": "斑 {letter}：{area} mm²，长 {length} mm，比完好果面暗 {darker}%",
        "explain_picture": "图片 {path}：上为各次图像，下为展开的果面（灰色未看到，圆圈为果梗和果萼方向，线内为斑）",
        "explain_views_only": "图片 {path}：各次图像；看不出果实如何转动，没有果面展开图",
        "explain_unseen": "没有图片：相机没有看清这个果杯",
    },
}

_SAID_BY_DEVICES = (
    FindingKind.JOURNAL,
    FindingKind.CAMERA,
    FindingKind.SENSORS,
    FindingKind.MAPS,
    FindingKind.PICTURES,
)

_FLAG_WORDS: dict[Language, dict[str, str]] = {
    "en": {flag_names(flag): meaning.english for flag, meaning in FLAGS.items()},
    "zh": {flag_names(flag): meaning.chinese for flag, meaning in FLAGS.items()},
}


def other_language(lang: Language) -> Language:
    """The one that is not this."""
    return "zh" if lang == "en" else "en"


def say(lang: Language, key: str, **values: object) -> str:
    """The text of a key with its values put in. KeyError for a key that is not in the catalogue."""
    return WORDS[lang][key].format(**values)


def say_flag(lang: Language, name: str) -> str:
    """What an operator reads for a flag's name, as in `flag_names`."""
    return _FLAG_WORDS[lang][name]


def say_findings(lang: Language, findings: Sequence[Finding]) -> list[str]:
    """What an operator reads for what is not as it should be, the most serious first. Lanes and outlets that have the
    same trouble are said together, with the largest share."""
    seriousness = list(FindingKind)
    by_kind: dict[FindingKind, list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: seriousness.index(finding.kind)):
        by_kind.setdefault(finding.kind, []).append(finding)
    return [_say_alike(lang, kind, alike) for kind, alike in by_kind.items()]


def _say_alike(lang: Language, kind: FindingKind, alike: Sequence[Finding]) -> str:
    shares = [finding.share for finding in alike if finding.share is not None]
    return say(
        lang,
        f"finding_{kind}",
        lanes=_numbers(lang, "lane", "lanes_of", [finding.lane for finding in alike]),
        outlets=_numbers(lang, "outlet_of", "outlets_of", [finding.outlet for finding in alike]),
        share=f"{max(shares):.0%}" if shares else "",
        detail=", ".join(finding.detail for finding in alike),
    )


def _numbers(lang: Language, one: str, several: str, numbers: Sequence[int | None]) -> str:
    known = sorted(number for number in numbers if number is not None)
    separator = {"en": ", ", "zh": "、"}[lang]
    return say(lang, one if len(known) == 1 else several, numbers=separator.join(map(str, known))) if known else ""


def said_by_devices(findings: Sequence[Finding]) -> list[str]:
    """What devices and the disk said of their trouble, as they said it: in English."""
    return [finding.detail for finding in findings if finding.kind in _SAID_BY_DEVICES and finding.detail]


def language_of(environ: Mapping[str, str]) -> Language:
    """The operator's language by LC_ALL, LC_MESSAGES or LANG, the first that is set; English when it is neither."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return "zh" if environ[name].lower().startswith("zh") else "en"
    return "en"
