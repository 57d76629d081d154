"""Every published figure in words: what is counted, over what, what is left out, how sure, and whose formula.

One table for the definition pages, the API and the export manifest, with the thresholds in force filled in.
"""

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType

from service.reports.statistics.defined import (
    ALWAYS_LEFT_OUT,
    BY_SCORED,
    BY_SENT,
    DEFINITION_VERSION,
    NO_INTERVAL,
    WILSON,
    FigureDefinition,
)
from service.reports.thresholds import DEFAULT, Thresholds

__all__ = ["DEFINITIONS", "DEFINITION_VERSION", "FigureDefinition", "define"]

_TABLE = (
    FigureDefinition(
        name="nps",
        title="Net Promoter Score",
        plain="How many more would recommend us than would not. Of 100 who answered, 50 gave 9 or 10 and 20 gave 6 or "
        "less: 50 − 20 = 30.",
        formula="100 × (promoters − detractors) / all answers; from −100 to 100, not a percentage.",
        numerator="Promoters (9 and 10) minus detractors (0 to 6). Passives (7 and 8) count only below.",
        denominator="All answers with a score to NPS cards.",
        exclusions=f"Answers with a comment only. {ALWAYS_LEFT_OUT}",
        interval="Adjusted Wald, 95 %: 3/4 promoter, 1 1/2 passives and 3/4 detractor are added (n + 3), the bounds "
        "cut at −100 and 100. The bounds are not centred on the score.",
        time_anchor=BY_SCORED,
        source="Rocks, The American Statistician 2016; confirmed by MeasuringU, NPS confidence intervals.",
    ),
    FigureDefinition(
        name="nps_mean",
        title="Mean NPS answer",
        plain="The average of all answers from 0 to 10. If half gave 10 and half gave 6, it is 8.",
        formula="Sum of the scores / number of scores; from 0 to 10. A second figure, never called NPS.",
        numerator="Sum of all scores 0 to 10.",
        denominator="All answers with a score to NPS cards.",
        exclusions=f"Answers with a comment only. {ALWAYS_LEFT_OUT}",
        interval="Wilson score interval, 95 %, of the mean rescaled to 0 to 1: never too narrow, often too wide.",
        time_anchor=BY_SCORED,
        source="Wilson 1927, with the variance bound of Bhatia and Davis 2000.",
    ),
    FigureDefinition(
        name="csat",
        title="Customer satisfaction (top 2 of 5)",
        plain="How many of those who answered were satisfied. Of 50 who answered, 30 gave 4 or 5: 60 %.",
        formula="100 × satisfied / all answers; in per cent.",
        numerator="Answers of 4 or 5. A 3 is not satisfied.",
        denominator="All answers with a score (1 to 5) to CSAT cards.",
        exclusions=f"Answers with a comment only. {ALWAYS_LEFT_OUT}",
        interval=WILSON,
        time_anchor=BY_SCORED,
        source="Wilson 1927; top-2-box as in Qualtrics Social Connect.",
    ),
    FigureDefinition(
        name="csat_mean",
        title="Mean CSAT answer",
        plain="The average of all answers from 1 to 5. If half gave 5 and half gave 3, it is 4.",
        formula="Sum of the scores / number of scores; from 1 to 5. A second figure beside CSAT.",
        numerator="Sum of all scores 1 to 5.",
        denominator="All answers with a score to CSAT cards.",
        exclusions=f"Answers with a comment only. {ALWAYS_LEFT_OUT}",
        interval="Wilson score interval, 95 %, of the mean rescaled to 0 to 1: never too narrow, often too wide.",
        time_anchor=BY_SCORED,
        source="Wilson 1927, with the variance bound of Bhatia and Davis 2000.",
    ),
    FigureDefinition(
        name="response_rate_of_delivered",
        title="Response rate (of those asked)",
        plain="How many of those we asked have answered. 1,000 were asked, 300 answered: 30 %.",
        formula="100 × answered / delivered; in per cent.",
        numerator="Customers asked who gave a score or a comment (partial answers count: AAPOR RR2).",
        denominator="Customers asked: by a card or message accepted by X, or a link handed over.",
        exclusions=f"What X refused or what stayed unknown: an answer to it counts in scores only. {ALWAYS_LEFT_OUT}",
        interval=WILSON,
        time_anchor=BY_SENT,
        source="AAPOR Standard Definitions, response rate 2.",
    ),
    FigureDefinition(
        name="response_rate_of_ended",
        title="Response rate (of ended conversations)",
        plain="How many of all conversations that ended brought an answer. Of 2,000 that ended, 300 did: 15 %.",
        formula="100 × answered / ended; in per cent. Of the same conversations never above the rate of those asked.",
        numerator="Ended conversations whose customer was asked and gave a score or a comment.",
        denominator="All conversations reported as ended, asked or not.",
        exclusions=ALWAYS_LEFT_OUT,
        interval=WILSON,
        time_anchor="The day the conversation ended; numerator and denominator are the same conversations.",
        source="AAPOR Standard Definitions, response rate 2, over everybody who could have been asked.",
    ),
    FigureDefinition(
        name="comment_rate",
        title="Comment rate",
        plain="How many of those who answered also wrote something. Of 300, 100 did: 33 %.",
        formula="100 × commented / answered; in per cent.",
        numerator="Answers of customers asked, with a comment.",
        denominator="Answers of customers asked, with a score or a comment.",
        exclusions=ALWAYS_LEFT_OUT,
        interval=WILSON,
        time_anchor=BY_SENT,
        source="Own definition.",
    ),
    FigureDefinition(
        name="coverage",
        title="Who was asked (coverage)",
        plain="How many of those whose conversation ended were asked at all. 460 ended, 310 were asked: 67 %.",
        formula="100 × offered / (ended − still on their way); in per cent.",
        numerator="Ended conversations whose customer was asked (card or message accepted by X, or link handed over).",
        denominator="Conversations that ended and have an outcome, whatever it is; skips stay in, by reason.",
        exclusions=f"Conversations still on their way to an outcome. By way of asking, those no campaign took stand "
        f"apart and count in no limits. {ALWAYS_LEFT_OUT}",
        interval="Control limits instead: the share of all ± 3 sigma for the size of the group (p-chart), cut at 0 "
        "and 100. Called outside only if the exact binomial chance is below 0.135 % too.",
        time_anchor="The day the conversation ended; numerator and denominator are the same conversations.",
        source="Shewhart p-chart; exact binomial tail.",
    ),
    FigureDefinition(
        name="change",
        title="Did it really change?",
        plain="How far a figure has moved, and how far that may be chance. It was 78 % of 54, it is 60 % of 43: the "
        "truth lies somewhere between 35 points down and 1 point up.",
        formula="Figure of the later period (or second group) minus the figure of the earlier (first).",
        numerator="The difference of the two figures, in points. The bounds belong to the adjusted difference.",
        denominator="The answers of both sides, each with its own n.",
        exclusions=f"None between scores of which one is not shown, or rates of nobody. {ALWAYS_LEFT_OUT}",
        interval="95 %, cut at ±100 points (NPS: ±200). NPS: both sides adjusted (n + 3). Shares: one success and one "
        "failure added (n + 2). 'Changed' if the bounds leave out 0: p < 0.05 in the z test on the same figures. 'No "
        "change shown' is not proof of sameness. Of twenty comparisons of nothing, one looks like a change.",
        time_anchor="That of the figure compared.",
        source="MeasuringU, NPS significance test; Agresti and Caffo, The American Statistician 54 (2000) 280-288.",
    ),
    FigureDefinition(
        name="judgement",
        title="Better, worse, about the same",
        plain="What may be said about a difference. 60 % of 43 after 78 % of 54 may be 35 points down or 1 point up: "
        "that is possibly worse, and not worse for sure.",
        formula="From the interval of the difference and the smallest difference that matters, {difference} points.",
        numerator="Possibly better: it leaves out a worsening that matters, not an improvement. About the same: it "
        "leaves out both. Too few to judge: neither. Better without possibly: it leaves out 0 too.",
        denominator="The answers of both sides, each with its own n.",
        exclusions=f"Groups without a score on one side: too few to judge. {ALWAYS_LEFT_OUT}",
        interval="95 %, that of the change. Without possibly p is below 0.05 even after Holm's correction: for rows of "
        "a table (scores and rates apart), in 'What differs' of all its tables, of two sides for cards and rate.",
        time_anchor="That of the figures compared.",
        source="Holm, Scandinavian Journal of Statistics 6 (1979) 65-70; the rest is our own definition.",
    ),
    FigureDefinition(
        name="chance",
        title="What chance explains",
        plain="How far a group may lie from all together by chance alone. All together have 80 %: a team with 100 "
        "answers lies between 68 % and 92 % without any reason.",
        formula="The score of all ± 3 standard errors for the group's number of answers, cut at the ends of the scale.",
        numerator="The group's score.",
        denominator="The group's answers with a score.",
        exclusions=f"Groups without a score. {ALWAYS_LEFT_OUT}",
        interval="Called outside only if the exact chance of the group's own sum is below 0.135 % too (of NPS up to "
        "2,000 answers; beyond, the limits are as good).",
        time_anchor=BY_SCORED,
        source="Funnel plot: Spiegelhalter, Statistics in Medicine 24 (2005) 1185-1202.",
    ),
    FigureDefinition(
        name="standardised",
        title="Compared by the same cases",
        plain="Two groups as if both had had the same questions, languages and campaigns. One had mostly hard cases "
        "and 60 %, the other easy ones and 80 %: over the same mixture they may both have 70 %.",
        formula="Direct standardisation: each case weighs as much as both groups together have answers of it.",
        numerator="The score of each group within each case.",
        denominator="Answers whose case both groups had; how many these are is told.",
        exclusions=f"Cases only one of them had; no score if either has fewer than {{score}} left. {ALWAYS_LEFT_OUT}",
        interval="95 %: each case's variance over its n, times its weight squared, summed. For the variance each case "
        "gets 2 answers more (NPS: 3), spread as all the group's answers and one of each outcome class.",
        time_anchor=BY_SCORED,
        source="Own definition of the cases; direct standardisation as in epidemiology.",
    ),
    FigureDefinition(
        name="distribution",
        title="Distribution",
        plain="How many gave each score. Of 60 customers 3 gave a 1, 2 a 2, 5 a 3, 20 a 4 and 30 a 5.",
        formula="Number of answers for each score of the scale, zeros included.",
        numerator="Answers with that score.",
        denominator="All answers with a score to this kind of card; their sum is n.",
        exclusions=f"For analysts from {{score}} answers, unanimous or not. {ALWAYS_LEFT_OUT}",
        interval=NO_INTERVAL,
        time_anchor=BY_SCORED,
        source="Own definition.",
    ),
    FigureDefinition(
        name="complete_until",
        title="Complete up to",
        plain="Up to this moment no answer is missing. If it says 7:00, every answer given before 7:00 is here.",
        formula="The time up to which every answer is known to be here: the earliest end, over the accounts shown, of "
        "what X has been asked for without a gap.",
        numerator="Not a share.",
        denominator="Not a share.",
        exclusions="Answers by webhook alone do not move it: a lost webhook would not be noticed. Where our page alone "
        "asked, it is the hour of the worker's last sign of life. Accounts no longer in the settings do not count.",
        interval=NO_INTERVAL,
        time_anchor="X's own time of the last update.",
        source="X Customer Feedback API (it lists answers up to 24 hours ago, never newer ones); own definition.",
    ),
    FigureDefinition(
        name="low_base",
        title="Few answers",
        plain="A mark that says: read with care. With 12 answers a single one more moves the share by 8 points.",
        formula="Mark on every figure with fewer than {ranking} answers; no ranking below {ranking} either.",
        numerator="Not a share.",
        denominator="The n of the figure.",
        exclusions="Groups without answers carry no mark.",
        interval=NO_INTERVAL,
        time_anchor="That of the figure marked.",
        source="Common practice; US Hospital Compare foot-notes mark small bases likewise.",
    ),
    FigureDefinition(
        name="suppressed",
        title="Too few to show",
        plain="So few answers that a score would be chance, or show who gave them. With 2 there is no score.",
        formula="No score of fewer than {score} answers, comments of an agent with fewer than {comments} answers are "
        "kept back, and nobody is named before {score} answers with a score: whoever is not is one group, 'not named'.",
        numerator="Not a share.",
        denominator="Answers with a score of the group; for comments, of the agent.",
        exclusions="Who may list rows is told how many answers there are, and which. Totals hold every answer. "
        "Coverage counts conversations, not answers: it has no least number, and 'not named' is one group there, too. "
        "Rows of conversations nobody was asked about, nor will be, name everybody.",
        interval=NO_INTERVAL,
        time_anchor="That of the figure.",
        source="NHS England Friends and Family Test; Qualtrics and Lattice defaults (5, comments 8).",
    ),
    FigureDefinition(
        name="releases",
        title="Figures for analysts",
        plain="Figures for those who read no single answers come in whole releases. A day with 2 answers is told "
        "together with the next days, once there are {score}.",
        formula="Sums of whole releases: of an account by days, of teams by weeks, of agents and of one of campaign, "
        "source, language, question, way of asking or hour by four weeks, each of at least {score} answers; by twelve "
        "weeks once more of agents who were among the others of their team.",
        numerator="Answers by the day on which we first saw them. What is closed stays so, the same for everybody.",
        denominator="The same answers. Response rates and the funnel are of whole accounts, once the answer window is "
        "over, without what was answered later.",
        exclusions="Answers that wait for their group's next release; how many is told. Newer ones are in no release, "
        "and told to nobody. Groups too small are told together, and so is whoever was not named when the day was "
        "closed. Once a backup was put back, answers given before, and weeks begun, are told no more than they were. "
        "What remains: where one group alone has answers of an outcome class, the days of that class are its own.",
        interval="As of the figure. Where only outcome classes are told there is no mean and no distribution.",
        time_anchor="The day on which we first saw the answer, or heard of the end of the conversation.",
        source="Own definition: a laminar family of releases, so that no subtraction tells of fewer.",
    ),
    FigureDefinition(
        name="ways",
        title="Ways of asking",
        plain="How the customer was asked. 30 answered X's card, 12 our own page: people answer the two differently, "
        "so they are told apart.",
        formula="Answers with a score by how the customer was asked: X's card, a DM with quick replies, a link to our "
        "page, or a link that somebody else sent (handed_over). A figure over more than one names each with its n.",
        numerator="Answers of customers asked in that way, whichever way they answered: a link beside a card counts "
        "for the card, and the row says how the score came (score_way).",
        denominator="Of response rates, coverage and funnel by way: conversations to be asked in that way; where X "
        "refused one and another was taken, the one that was sent.",
        exclusions=f"Conversations no campaign took have no way. {ALWAYS_LEFT_OUT}",
        interval="People answer a page and a card differently (mode effect): two ways are compared like two groups, "
        "see change; a comparison whose sides were asked in different ways says so.",
        time_anchor="That of the figure.",
        source="de Leeuw, Mixed-mode surveys and the Internet, 2005; own definition.",
    ),
    FigureDefinition(
        name="immature_days",
        title="Answers may still come",
        plain="Days whose customers may still answer. Of 10 customers asked today some answer tomorrow.",
        formula="Mark on the last days by sent date: those that end within the answer window before now.",
        numerator="Not a share.",
        denominator="Not a share.",
        exclusions="Shown but shaded. A response rate is possibly worse at most while customers of the later days may "
        "still answer. X never closes a card, reports do.",
        interval=NO_INTERVAL,
        time_anchor="The day the card was sent, up to the answer window of the report.",
        source="Own definition.",
    ),
)


def define(thresholds: Thresholds) -> Mapping[str, FigureDefinition]:
    """Return the table with this installation's thresholds filled in."""
    numbers = {f"{{{name}}}": str(number) for name, number in asdict(thresholds).items()}
    return MappingProxyType({one.name: _filled_in(one, numbers) for one in _TABLE})


def _filled_in(definition: FigureDefinition, numbers: Mapping[str, str]) -> FigureDefinition:
    words = asdict(definition)
    for placeholder, number in numbers.items():
        words = {field: sentence.replace(placeholder, number) for field, sentence in words.items()}
    return FigureDefinition(**words)


DEFINITIONS = define(DEFAULT)
