# Answers the cases of r_reference.py with R: reads them as JSON, writes one answer a case in the same order.
#     Rscript r_reference.R CASES.json ANSWERS.json
suppressPackageStartupMessages({
  library(jsonlite)
  library(survival)
})
ways <- c("two.sided", "greater", "less")
names(ways) <- c("two_sided", "greater", "less")
of_all <- function(f) as.list(sapply(ways, f))
quiet <- suppressWarnings

answer <- list(
  signed_rank_normal = function(c) list(
    with = of_all(function(a) quiet(wilcox.test(c$x, alternative = a, exact = FALSE, correct = TRUE))$p.value),
    without = of_all(function(a) quiet(wilcox.test(c$x, alternative = a, exact = FALSE, correct = FALSE))$p.value),
    w_plus = unname(quiet(wilcox.test(c$x, exact = FALSE))$statistic)),
  signed_rank_exact = function(c) list(
    p = if (anyDuplicated(abs(c$x)))
      of_all(function(a) exactRankTests::wilcox.exact(c$x, alternative = a, exact = TRUE)$p.value)
    else of_all(function(a) wilcox.test(c$x, alternative = a, exact = TRUE)$p.value)),
  rank_sum_normal = function(c) list(
    with = of_all(function(a) quiet(wilcox.test(c$x, c$y, alternative = a, exact = FALSE, correct = TRUE))$p.value),
    without = of_all(function(a) quiet(wilcox.test(c$x, c$y, alternative = a, exact = FALSE, correct = FALSE))$p.value),
    u = unname(quiet(wilcox.test(c$x, c$y, exact = FALSE))$statistic)),
  rank_sum_exact = function(c) {
    p <- if (anyDuplicated(c(c$x, c$y)))
      lapply(ways, function(a) exactRankTests::wilcox.exact(c$x, c$y, alternative = a, exact = TRUE)$p.value)
    else lapply(ways, function(a) wilcox.test(c$x, c$y, alternative = a, exact = TRUE)$p.value)
    # exactRankTests doubles nothing: two-sided it adds what is as far from the mean. We double the smaller tail.
    p$two_sided <- min(1, 2 * min(p$greater, p$less))
    list(p = p)
  },
  spearman_exact = function(c)
    list(p = of_all(function(a) cor.test(c$x, c$y, method = "spearman", alternative = a, exact = TRUE)$p.value),
         rho = cor(c$x, c$y, method = "spearman")),
  spearman_t = function(c)
    list(p = of_all(function(a) cor.test(rank(c$x), rank(c$y), method = "pearson", alternative = a)$p.value),
         rho = cor(c$x, c$y, method = "spearman")),
  shapiro_wilk = function(c) { t <- shapiro.test(c$x); list(w = unname(t$statistic), p = t$p.value) },
  groups = function(c) {
    y <- unlist(c$groups)
    g <- factor(rep(seq_along(c$groups), lengths(c$groups)))
    d <- data.frame(y = y, g = g)
    k <- kruskal.test(y, g)
    f <- function(t) list(f = unname(t$statistic), between = unname(t$parameter[1]), within = unname(t$parameter[2]),
                          p = t$p.value)
    l <- function(t) list(f = t[1, "F value"], between = t[1, "Df"], within = t[2, "Df"], p = t[1, "Pr(>F)"])
    pairs <- rstatix::dunn_test(d, y ~ g, p.adjust.method = "holm")
    squares <- summary(aov(y ~ g, d))[[1]][, "Sum Sq"]
    list(kruskal = list(h = unname(k$statistic), p = k$p.value, eta = rstatix::kruskal_effsize(d, y ~ g)$effsize),
         anova = c(f(oneway.test(y ~ g, d, var.equal = TRUE)), eta = squares[1] / sum(squares)),
         welch = f(oneway.test(y ~ g, d)), levene = l(car::leveneTest(y, g, center = mean)),
         brown_forsythe = l(car::leveneTest(y, g, center = median)),
         dunn = list(first = as.integer(pairs$group1), second = as.integer(pairs$group2), z = -pairs$statistic,
                     p = pairs$p, adjusted = p.adjust(pairs$p, "holm")))
  },
  t_test = function(c) {
    run <- function(...) if (length(c$y)) t.test(c$x, c$y, mu = c$mu, conf.level = c$level, ...) else
      t.test(c$x, mu = c$mu, conf.level = c$level, ...)
    t <- run()
    list(t = unname(t$statistic), degrees = unname(t$parameter), low = t$conf.int[1], high = t$conf.int[2],
         p = of_all(function(a) run(alternative = a)$p.value))
  },
  margins = function(c) {
    run <- function(mu, a) (if (length(c$y)) t.test(c$x, c$y, mu = mu, alternative = a) else
      t.test(c$x, mu = mu, alternative = a))$p.value
    list(lower = run(-c$margin, "greater"), upper = run(c$margin, "less"))
  },
  interaction = function(c) {
    a <- factor(c$first); b <- factor(c$second)
    t <- anova(lm(c$values ~ a + b), lm(c$values ~ a * b))
    list(f = t[2, "F"], between = t[2, "Df"], within = t[2, "Res.Df"],
         eta = t[2, "Sum of Sq"] / (t[2, "Sum of Sq"] + t[2, "RSS"]))
  },
  kaplan_meier = function(c) {
    s <- survfit(Surv(c$time, c$event) ~ 1, conf.type = "log-log", conf.int = c$level)
    m <- survival:::survmean(s, rmean = c$horizon)$matrix
    na <- function(v) lapply(v, function(one) if (is.na(one)) NULL else one)
    list(time = s$time, at_risk = s$n.risk, survival = s$surv, error = s$std.err * s$surv, low = na(s$lower),
         high = na(s$upper), median = na(unname(m[c(7, 8, 9)])), mean = unname(m[5]), mean_error = unname(m[6]))
  },
  log_rank = function(c) {
    t <- survdiff(Surv(c$time, c$event) ~ c$group)
    k <- length(t$n)
    list(chi_squared = t$chisq, p = pchisq(t$chisq, k - 1, lower.tail = FALSE), observed = t$obs, expected = t$exp)
  },
  t_power = function(c) {
    p <- function(a) power.t.test(c$n, delta = c$effect, sd = 1, sig.level = c$alpha, type = c$type, alternative = a,
                                  strict = TRUE)$power
    list(two_sided = p("two.sided"), greater = p("one.sided"))
  },
  adjusted = function(c) list(holm = p.adjust(c$p, "holm"), benjamini_hochberg = p.adjust(c$p, "BH"))
)

arguments <- commandArgs(TRUE)
cases <- read_json(arguments[1], simplifyVector = TRUE, simplifyDataFrame = FALSE, simplifyMatrix = FALSE)
answers <- lapply(cases, function(case) answer[[case$kind]](case))
versions <- sapply(c("survival", "exactRankTests", "car", "rstatix"), function(p) as.character(packageVersion(p)))
write_json(list(r = R.version.string, packages = as.list(versions), answers = answers), arguments[2], digits = NA,
           auto_unbox = TRUE, null = "null")
