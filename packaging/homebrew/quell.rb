class Quell < Formula
  desc "Autoencoders for single-cell counts"
  homepage "https://example.org/quell"
  url "https://example.org/quell/releases/download/v0.7.0/quell-0.7.0.tar.gz"
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license "BSD-3-Clause"

  depends_on "pkgconf" => :build
  depends_on "hdf5"
  depends_on "igraph"
  depends_on "libdeflate"

  uses_from_macos "zlib"

  on_macos do
    depends_on "libomp"
  end

  def install
    settings = ["prefix=#{prefix}", "CFLAGS=-O3"]
    # Homebrew's own place for libomp, wherever Homebrew itself is.
    if OS.mac?
      libomp = Formula["libomp"].opt_prefix
      settings << "OPENMP_CFLAGS=-Xpreprocessor -fopenmp -I#{libomp}/include"
      settings << "OPENMP_LIBS=-L#{libomp}/lib -lomp"
    end
    system "make", *settings, "all"
    system "make", *settings, "bashcompdir=#{bash_completion}", "zshcompdir=#{zsh_completion}",
           "fishcompdir=#{fish_completion}", "install"
    pkgshare.install "example_data"
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/quell --version").strip
    system bin/"quell", "denoise", pkgshare/"example_data/pbmc_small.h5", "-o", "denoised.h5ad",
           "--epochs", "2", "--threads", "1"
    assert_match "560", shell_output("#{bin}/quell info denoised.h5ad")
  end
end
