// The page's style sheet: system fonts, two colour schemes, print.
#pragma once

#include <string_view>

namespace wattle::report {

inline constexpr std::string_view kStyle = R"css(
:root{--paper:#fbfbf9;--ink:#1d2321;--soft:#616a66;--line:#dcdfd9;--good:#1f7a4d;--bad:#b0432f;--less:47,110,165;--more:200,110,30;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--paper:#14181a;--ink:#e4e7e3;--soft:#98a19d;--line:#2f3638;--good:#5cc48f;--bad:#e98a74;--less:90,160,220;--more:230,150,70}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:36px 24px 60px}
.study{color:var(--soft);margin:0;overflow-wrap:anywhere}
h1{font-size:clamp(1.45rem,3.2vw,2.2rem);line-height:1.22;font-weight:600;margin:.25em 0 .4em;max-width:32em;text-wrap:balance;overflow-wrap:anywhere}
h2{font-size:1.05rem;font-weight:600;margin:2.4em 0 .6em}
h3{font-size:.9rem;font-weight:600;margin:0 0 .5em}
p{margin:.4em 0;max-width:75ch;overflow-wrap:anywhere}
.tag{display:inline-block;border:1px solid currentColor;border-radius:999px;font-size:.8rem;padding:0 .7em;line-height:1.7;color:var(--soft);white-space:nowrap}
.tag.good,.good>b,b.good{color:var(--good)}b.bad{color:var(--bad)}
.first{display:grid;grid-template-columns:minmax(0,1.35fr) minmax(0,1fr);gap:28px 44px;margin-top:22px;align-items:start}
.first section+section{margin-top:26px}
@media(max-width:860px){.first{grid-template-columns:minmax(0,1fr)}main{padding:22px 16px 40px}}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.32em .9em .32em 0;vertical-align:top;border-bottom:1px solid var(--line)}
th{font-weight:500;color:var(--soft);font-size:.85rem}
td.n,th.n{text-align:right}
td.num,th.num{white-space:nowrap}
td.name{min-width:10.5em;max-width:30em;overflow-wrap:anywhere}
td small,.soft{color:var(--soft);font-size:.85rem}
tr.group td{font-weight:600;padding-top:1.2em}
.grid{width:auto}.grid td,.grid th{padding:.25em .8em;text-align:center}.grid tr>:first-child{text-align:left;padding-left:0}
.grid td.zero{color:var(--soft)}.grid td.target{outline:1.5px solid var(--good);outline-offset:-3px;border-radius:6px}
.heat{width:auto}.heat th{text-align:center;border:0;padding:.2em .5em}.heat td{text-align:center;padding:.3em .6em;border:2px solid var(--paper);line-height:1.3;min-width:6.6em}.heat small{white-space:nowrap;font-size:.72rem;color:inherit;opacity:.8}.heat td.name{overflow-wrap:break-word;text-align:left;padding-left:0;border:0;min-width:7em;max-width:14em}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(210px,1fr));gap:10px 28px;border-top:1px solid var(--line);border-bottom:1px solid var(--line);padding:14px 0;margin:30px 0 0;font-size:.9rem}
.facts dt{color:var(--soft);font-size:.8rem}.facts dd{margin:0;overflow-wrap:anywhere}
.warning{border-left:3px solid rgb(var(--more));padding-left:.8em}
svg text{font:11.5px system-ui,"Liberation Sans",sans-serif;fill:var(--soft)}svg text{paint-order:stroke;stroke:var(--paper);stroke-width:3px;stroke-linejoin:round}svg text.l{fill:var(--ink);font-weight:600}
.chart{width:100%;height:auto;display:block}.strip{width:100%;min-width:120px;height:20px;display:block}
path.grid,path.zero,path.tolerance,path.front,path.bar,path.median{fill:none;stroke:var(--line);stroke-width:1}
path.zero{stroke:var(--soft);opacity:.6}path.tolerance{stroke:var(--good);stroke-dasharray:2 4}path.front{stroke:var(--ink);stroke-dasharray:5 4;opacity:.55}
.region{fill:var(--good);opacity:.07}
g path.bar{stroke:currentColor;stroke-width:1.4;opacity:.55}g{color:var(--soft);fill:currentColor}
g.good{color:var(--good)}g.bad{color:var(--bad)}g.orig{color:var(--ink)}
.run{fill:var(--ink);opacity:.38}path.median{stroke:var(--good);stroke-width:2.2}
@media(max-width:640px){.mutants tr{display:grid;grid-template-columns:repeat(3,1fr);border-bottom:1px solid var(--line);padding:.3em 0}.mutants td,.mutants th{border:0;padding:.1em .5em .1em 0}.mutants tr>:first-child,.mutants tr>:last-child{grid-column:1/-1;max-width:none}.mutants td.num{white-space:normal}.mutants td.num small{display:block}.mutants th:last-child{display:none}.heat td{min-width:0;padding:.3em}.heat td.name{min-width:5em}.heat small{white-space:normal}}
details summary{cursor:pointer;color:var(--soft)}
dl.how dt{font-weight:600;margin-top:.7em}dl.how dd{margin:0;max-width:75ch}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--line:#bbb;--good:#1f7a4d;--bad:#b0432f}main{max-width:none;padding:0}body{font-size:11px}section,tr{break-inside:avoid}}
)css";

}  // namespace wattle::report
