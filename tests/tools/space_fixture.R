# Values of tests/unit/fixture_space_r.h: what R says about small data. Base R alone.
#
#   Rscript tests/tools/space_fixture.R > tests/unit/fixture_space_r.h
set.seed(11)
centres <- matrix(rnorm(4 * 3, sd = 1.6), 4)
points <- round(centres[rep(1:4, c(20, 17, 14, 9)), ] + matrix(rnorm(60 * 3), 60), 3)
points <- points[sample(60), ]
number <- function(x) formatC(x, digits = 17, width = 1)
array <- function(type, name, x, dim = length(x))
    cat("static const ", type, " ", name, paste0("[", dim, "]", collapse = ""), " = {\n    ",
        paste(strwrap(paste(number(x), collapse = ", "), 92), collapse = "\n    "), "};\n", sep = "")

cat("/* Made by tests/tools/space_fixture.R with", R.version.string, "*/\n")
cat("/* clang-format off */\n")
cat("enum { R_POINTS = 60, R_DIMS = 3, R_TREE = 25 };\n")
array("double", "r_points", t(points))

# quantile(): type 7
values <- c(0.3, 1.25, 1.25, 2, 3.5, 3.75, 4.125, 6, 8.5, 13, 21.5)
at <- c(0, 0.01, 0.1, 0.25, 1 / 3, 0.5, 0.75, 0.9, 0.999, 1)
array("double", "r_values", values)
array("double", "r_quantile_at", at)
array("double", "r_quantile", quantile(values, at, names = FALSE))

# kmeans(): Hartigan and Wong, from the first k points
ks <- c(2, 3, 4, 5, 8, 12)
array("int", "r_kmeans_k", ks)
runs <- lapply(ks, function(k) kmeans(points, points[1:k, ], iter.max = 100))
cat("static const int r_kmeans_label[", length(ks), "][60] = {\n", sep = "")
for (r in runs) cat("    {", paste(r$cluster - 1, collapse = ","), "},\n", sep = "")
cat("};\n")
array("double", "r_kmeans_within", sapply(runs, function(r) r$tot.withinss))
array("double", "r_kmeans_total", runs[[1]]$totss)

# hclust(): ward.D, and cutree()
tree <- hclust(dist(points[1:25, ]), "ward.D")
array("int", "r_merge", t(tree$merge))
array("double", "r_height", tree$height)
array("int", "r_cut4", cutree(tree, 4) - 1)
array("int", "r_cut9", cutree(tree, 9) - 1)

# adjusted Rand index, by its formula
adjusted <- function(a, b) {
    t <- table(a, b)
    both <- sum(choose(t, 2)); x <- sum(choose(rowSums(t), 2)); y <- sum(choose(colSums(t), 2))
    (both - x * y / choose(length(a), 2)) / ((x + y) / 2 - x * y / choose(length(a), 2))
}
array("double", "r_adjusted", sapply(2:6, function(i) adjusted(runs[[1]]$cluster, runs[[i]]$cluster)))

# Kruskal's minimum spanning tree of 1 - cor, and path lengths from the first point
set.seed(12)
wide <- round(matrix(rnorm(40 * 6), 40) * 1024) / 1024 # exact in float32
d <- 1 - cor(t(wide))
pairs <- which(upper.tri(d), arr.ind = TRUE)
pairs <- pairs[order(d[pairs]), ]
group <- 1:40
adjacent <- matrix(NA_real_, 40, 40)
for (e in seq_len(nrow(pairs))) {
    i <- pairs[e, 1]; j <- pairs[e, 2]
    if (group[i] == group[j]) next
    group[group == group[j]] <- group[i]
    adjacent[i, j] <- adjacent[j, i] <- d[i, j]
}
length <- rep(NA_real_, 40); length[1] <- 0
while (anyNA(length))
    for (i in which(!is.na(length)))
        for (j in which(!is.na(adjacent[i, ]) & is.na(length))) length[j] <- length[i] + adjacent[i, j]
cat("enum { R_WIDE = 40, R_WIDE_DIMS = 6 };\n")
array("double", "r_wide", t(wide))
array("double", "r_tree_length", length)
array("double", "r_tree_total", sum(adjacent, na.rm = TRUE) / 2)

# what drawing path lengths in to the quartiles of groups gives
groups <- kmeans(wide, wide[1:3, ], iter.max = 100)$cluster
drawn <- length
for (g in 1:3) {
    t <- length[groups == g]
    q <- quantile(t, c(0.25, 0.75), names = FALSE)
    drawn[groups == g] <- (q[2] - q[1]) * (t - min(t)) / (max(t) - min(t)) + q[1]
}
array("int", "r_wide_group", groups - 1)
array("double", "r_drawn", drawn)
