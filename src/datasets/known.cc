// The table of known data sets. Every size, digest and URL is copied from the file that `source` names; none of the
// URLs was fetched when this was written, for there was no network (`tried`).
#include "datasets/data_set.h"

namespace wattle::datasets {
namespace {

std::vector<std::string> at(const std::vector<std::string>& bases, const std::string& name) {
  std::vector<std::string> urls;
  urls.reserve(bases.size());
  for (const std::string& base : bases) urls.push_back(base + name);
  return urls;
}

File file(const std::string& name, std::int64_t size, std::string sha256, const std::vector<std::string>& bases) {
  return {.name = name,
          .size = size,
          .digest = {.kind = Digest::Kind::sha256, .hex = std::move(sha256)},
          .urls = at(bases, name)};
}

DataSet mnist() {
  const std::vector<std::string> bases{"https://storage.googleapis.com/cvdf-datasets/mnist/",
                                       "https://ossci-datasets.s3.amazonaws.com/mnist/"};
  return {.name = "mnist",
          .about = "handwritten digits, 28 x 28 grey, 60,000 to train and 10,000 to test, 10 classes",
          .licence = "CC BY-SA 3.0",
          .citation =
              "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: Gradient-based learning applied to document recognition, "
              "Proc. IEEE 86 (1998)",
          .dataset = "idx",
          .below = "",
          .prepare = {},
          .source =
              "tensorflow/datasets 31f1255e57e5: tensorflow_datasets/url_checksums/mnist.txt (sizes, SHA-256, first "
              "URL); pytorch/vision 01977a187961: torchvision/datasets/mnist.py (second URL); "
              "TensorFlow r1.15, documentation of tf.keras.datasets.mnist (licence)",
          .known = true,
          .tried = false,
          .files = {file("train-images-idx3-ubyte.gz", 9'912'422,
                         "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", bases),
                    file("train-labels-idx1-ubyte.gz", 28'881,
                         "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", bases),
                    file("t10k-images-idx3-ubyte.gz", 1'648'877,
                         "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", bases),
                    file("t10k-labels-idx1-ubyte.gz", 4'542,
                         "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", bases)}};
}

DataSet fashion_mnist() {
  const std::vector<std::string> bases{
      "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
      "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/"
      "fashion/"};
  return {.name = "fashion-mnist",
          .about = "pieces of clothing, 28 x 28 grey, 60,000 to train and 10,000 to test, 10 classes",
          .licence = "MIT",
          .citation = "H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, arXiv:1708.07747 (2017)",
          .dataset = "idx",
          .below = "",
          .prepare = {},
          .source =
              "tensorflow/datasets 333639b37af6: tensorflow_datasets/url_checksums/fashion_mnist.txt (sizes, SHA-256); "
              "keras-team/keras 75565fb8ab07: keras/src/datasets/fashion_mnist.py (first URL, the same SHA-256); "
              "zalandoresearch/fashion-mnist b2617bb6d3ff: data/fashion (second URL; the SHA-256 of its two files of "
              "labels was computed and is the same)",
          .known = true,
          .tried = false,
          .files = {file("train-images-idx3-ubyte.gz", 26'421'880,
                         "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", bases),
                    file("train-labels-idx1-ubyte.gz", 29'515,
                         "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", bases),
                    file("t10k-images-idx3-ubyte.gz", 4'422'102,
                         "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", bases),
                    file("t10k-labels-idx1-ubyte.gz", 5'148,
                         "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", bases)}};
}

// Both are one archive, whose folder the trainer reads once it is unpacked.
DataSet cifar(const std::string& name, const std::string& dataset, std::string about, std::string folder,
              const std::string& source, File archive) {
  return {.name = name,
          .about = std::move(about),
          .licence = "none stated",
          .citation = "A. Krizhevsky: Learning multiple layers of features from tiny images (2009)",
          .dataset = dataset,
          .below = std::move(folder),
          .prepare = {"tar -xzf {folder}/" + archive.name + " -C {folder}"},
          .source = "tensorflow/datasets 333639b37af6: tensorflow_datasets/url_checksums/" + source +
                    "; 0560e686ded1: tensorflow_datasets/image_classification/cifar.py (the archive's folder)",
          .known = true,
          .tried = false,
          .files = {std::move(archive)}};
}

DataSet cifar10() {
  return cifar(
      "cifar10", "cifar10", "photographs, 32 x 32 colour, 50,000 to train and 10,000 to test, 10 classes",
      "cifar-10-batches-bin", "cifar10.txt",
      file("cifar-10-binary.tar.gz", 170'052'171, "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
           {"https://www.cs.toronto.edu/~kriz/"}));
}

DataSet cifar100() {
  return cifar(
      "cifar100", "cifar100",
      "photographs, 32 x 32 colour, 50,000 to train and 10,000 to test, 100 classes in 20 groups", "cifar-100-binary",
      "cifar100.txt",
      file("cifar-100-binary.tar.gz", 168'513'733, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
           {"https://www.cs.toronto.edu/~kriz/"}));
}

DataSet imagenette() {
  const std::string name = "imagenette2-160.tgz";
  return {.name = "imagenette",
          .about = "photographs of ten classes of ImageNet, the shorter side 160 pixels, as JPEG; needs --image-size",
          .licence = "none stated",
          .citation = "J. Howard: Imagenette, github.com/fastai/imagenette (2019)",
          .dataset = "folder",
          .below = "imagenette2-160",
          // Its authors call val what is measured on; the trainer takes its own validation out of train.
          .prepare = {"tar -xzf {folder}/" + name + " -C {folder}",
                      "mv {folder}/imagenette2-160/val {folder}/imagenette2-160/test"},
          .source =
              "tensorflow/datasets 24211da0508a: tensorflow_datasets/url_checksums/imagenette.txt; pytorch/vision "
              "051ba3491924: torchvision/datasets/imagenette.py (the archive's folders)",
          .known = true,
          .tried = false,
          .files = {file(name, 98'948'031, "88daccb09b6fce93f45e6c09ddeb269cce705549e6bff322092a2a5a11489863",
                         {"https://s3.amazonaws.com/fast-ai-imageclas/"})}};
}

}  // namespace

std::vector<DataSet> known_data_sets() { return {mnist(), fashion_mnist(), cifar10(), cifar100(), imagenette()}; }

}  // namespace wattle::datasets
