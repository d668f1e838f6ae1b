"""Texts that are almost programs, for whoever reads programs."""

from __future__ import annotations

from hypothesis import strategies as st

from pipeline.language.automaton import KEYWORDS

SAMPLE = """\
# A program with one of everything.
const IP /(?P<ip>[0-9.]+)/
const LINE /^/ + IP + / (?P<code>\\d+) \\/x (?P<size>.*)$/
counter requests by code, "path name" as "http_requests" limit 100
hidden gauge started
histogram sizes help "How \\"large\\"" buckets 0, 1, 2.5e3 by code unit "bytes" # and more
text last # in full
  help "What was last"
log_filter "/var/log/a b"
begin {
  started = timestamp()
}
def timed {
  /^(?P<date>\\S+) / {
    strptime($date, "2006-01-02")
    next
  }
}
@timed {
  LINE && $code >= 400 || $ip !~ /^10\\./ {
    requests[$code][subst("\\"", "", $2)]++ exemplar $ip # one more
    sizes[$code] = $code / 2 * (~1 & 3) ** 2 -
      int($code) << 1 exemplar trace_id = "no" + $ip, code =
      $code
    del requests["1", "2"] after 1h30m
  } else {
    last = "no" + tolower($0)
    stop
  }
  otherwise { requests["0", getfilename()] += -5
  }
}
decode json || decode csv ";" by code, "the path" from
  tolower($x.y."z w".a@b) { last = $"user-agent"
}
"""
"""A program with one of everything."""


@st.composite
def mutated_programs(draw: st.DrawFn) -> str:
    """Pieces of the sample, left out, moved or replaced."""
    text = SAMPLE
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 30)))
        other = draw(st.integers(0, len(text)))
        signs = st.sampled_from("{}()[],/\"'#$@!=<>+-*~&|%^.;?:\\_ \n\t\r09ehmsdéß日²٣\u2028\ufeff\x00")
        piece = draw(
            st.one_of(st.just(""), signs, st.just(text[other : other + 12]), st.sampled_from(sorted(KEYWORDS)))
        )
        text = text[:start] + piece + text[end:]
    return text


def program_texts() -> st.SearchStrategy[str]:
    """Any texts, from those of random letters to those that differ from a program in a sign."""
    return st.one_of(st.text(), st.text(alphabet='{}()[]/"$@+-=~&|#,. \n1mx'), mutated_programs())
